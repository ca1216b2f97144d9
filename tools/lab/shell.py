"""A shell in the lab: each line runs on the chosen machine; `:` lines are for the lab."""

import contextlib
import readline  # noqa: F401  input() then has history and editing
import sys

from tools.lab.channel import CommandFailed
from tools.lab.fault import LabFault
from tools.lab.lab import Lab

HELP = """\
Each line runs as root on the chosen machine, from a directory that `cd` changes. Lines of the lab:
  :NAME                    go to that machine (array, a, b)
  :console                 what its serial console said
  :down LINK, :up LINK     pull or plug a cable: iscsi0, iscsi1, mgmt; on the array a.iscsi0 ...
  :reboot, :reset          orderly, or by the reset line
  :kill, :reload           the power is gone; a fresh machine from the snapshot
  :put FILE PATH           copy a file in;  :monitor LINE: a line of QEMU's monitor
  :help, :quit (or end of input)
The array's portals are 10.9.0.1 and 10.9.1.1; nodes reach its management address 10.0.2.100 port 22 if
something listens on {socket}
"""
COMMAND_LIMIT = 3600.0


class _Shell:
    def __init__(self, lab: Lab, machine: str) -> None:
        self._lab = lab
        self._machine = lab.machine(machine)
        self._folder = "/root"

    @property
    def prompt(self) -> str:
        return f"{self._machine.role.hostname}:{self._folder}# "

    def take(self, line: str) -> None:
        """Run one line."""
        if line.startswith(":"):
            self._order(*line[1:].split(maxsplit=1))
        elif line.strip():
            self._command(line)

    def _command(self, line: str) -> None:
        # the folder comes back on a line of its own at the end of standard error
        wrapped = f"cd {self._folder!r} && {{ {line}\n}}; s=$?; printf '\\n%s' \"$PWD\" >&2; exit $s"
        result = self._machine.run(wrapped, COMMAND_LIMIT, check=False)
        errors, _, folder = result.stderr.rpartition("\n")
        self._folder = folder if folder.startswith("/") else self._folder
        sys.stdout.write(result.stdout)
        sys.stdout.write(errors)
        if result.exit_status:
            print(f"[exit status {result.exit_status}]")

    def _order(self, order: str = "help", rest: str = "") -> None:
        machine = self._machine
        match order:
            case "console":
                print(machine.console)
            case "down" | "up":
                machine.set_link(rest, up=order == "up")
            case "reboot" | "reset":
                print(f"up again after {machine.reboot(hard=order == 'reset'):.1f} s")
            case "kill":
                machine.kill()
            case "reload":
                machine.reload()
            case "put":
                source, target = rest.split()
                with open(source, "rb") as file:
                    machine.put(target, file.read(), 0o755)
            case "monitor":
                print(machine.monitor(rest))
            case "quit":
                raise EOFError
            case name if name in {m.name for m in self._lab.machines}:
                self._machine = self._lab.machine(name)
            case _:
                print(HELP.format(socket=self._lab.management_socket()))


def interact(lab: Lab, machine: str) -> None:
    """Read lines until the end of input."""
    shell = _Shell(lab, machine)
    print(HELP.format(socket=lab.management_socket()))
    with contextlib.suppress(EOFError):
        while True:
            try:
                shell.take(input(shell.prompt))
            except (CommandFailed, LabFault, OSError, ValueError) as error:
                print(error)
            except KeyboardInterrupt:
                print()
