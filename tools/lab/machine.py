"""One machine of a lab: its commands, files and reboots, over the command channel."""

import contextlib
import io
import shlex
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.lab import denials
from tools.lab.channel import GRACE, CommandFailed, Result, decode, encode
from tools.lab.fault import LabFault
from tools.lab.virtual_machine import BOOT_LIMIT, MONITOR_LIMIT, VirtualMachine

PYTHON: Final = "/usr/bin/python3"
ALIVE: Final = 1.0  # seconds in which a machine answers that does not hang


class Machine(VirtualMachine):
    """A virtual machine. Commands may be run from several threads at once."""

    python = PYTHON
    """What runs the lab's own programs in it, and is never the product's."""

    def run(
        self,
        command: str | Sequence[str],
        timeout: float = 60,
        *,
        check: bool = True,
        stdin: bytes = b"",
    ) -> Result:
        """Run a command as root and return its result; text goes to bash, a sequence is quoted.

        Raises CommandFailed when it takes over `timeout` seconds, or with `check` when its exit status
        is not 0.
        """
        text = command if isinstance(command, str) else shlex.join(command)
        answer = self._call("run", timeout + GRACE, command=text, timeout=timeout, stdin=encode(stdin))
        result = Result(
            command=text,
            exit_status=answer["exit_status"],
            stdout=decode(answer["stdout"]).decode(errors="replace"),
            stderr=decode(answer["stderr"]).decode(errors="replace"),
            seconds=answer["seconds"],
        )
        if answer["timed_out"] or (check and result.exit_status):
            raise CommandFailed(self.name, result, timed_out=answer["timed_out"])
        return result

    def put(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file whole, its folders too."""
        content = data.encode() if isinstance(data, str) else data
        self._call("put", MONITOR_LIMIT, path=path, data=encode(content), mode=mode)

    def put_tree(self, path: str, source: Path | bytes, *, replace: bool = False) -> None:
        """Copy a folder of this machine, or unpack a tar archive, into a folder of the guest."""
        data = source if isinstance(source, bytes) else archive(source)
        self._call("put_tree", 2 * MONITOR_LIMIT, path=path, data=encode(data), replace=replace)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return decode(self._call("read", MONITOR_LIMIT, path=path)["data"])

    def reboot(self, *, hard: bool = False, timeout: float = BOOT_LIMIT) -> float:
        """Reboot, orderly or by the reset line; return the seconds until its services are up again."""
        self.note_denials()
        start, boot = time.monotonic(), self.channel.boot
        if hard:
            self.monitor("system_reset")
        else:
            self.channel.post("run", command="systemctl reboot", timeout=timeout, stdin="")
        with self._explained():
            self.channel.wait_other_boot(boot, timeout)
        self.settle(timeout)
        return time.monotonic() - start

    def kill(self) -> None:
        """End QEMU at once, as a power failure that nobody comes back from."""
        self.note_denials()
        self.end()

    def note_denials(self) -> None:
        """Keep what was denied in this boot, whose journal goes with it; one that hangs is not waited for.

        What one that answers does not say counts as denied: it is not known.
        """
        if not self.running:
            return
        with contextlib.suppress(LabFault):
            self.channel.wait_answer(ALIVE)
            try:
                self.denied |= denials.of(self)
            except LabFault as fault:
                self.denied["what was denied before a reboot or a kill is not known"] = str(fault)

    def settle(self, timeout: float = BOOT_LIMIT) -> None:
        """Wait until systemd has started everything; a failed unit is an error."""
        state = self.run("systemctl is-system-running --wait", timeout, check=False)
        if state.stdout.strip() != "running":
            failed = self.run("systemctl --failed --no-legend --plain", check=False).stdout
            raise self._described(LabFault("lab-unit-failed", f"{self.name} is {state.stdout}{failed}"))


def archive(folder: Path) -> bytes:
    """Return a tar archive of a folder's content, owned by root, without compiled Python."""

    def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in member.name:
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, arcname=".", filter=owned_by_root)
    return packed.getvalue()
