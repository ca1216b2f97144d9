"""`python -m tools.lab build|shell|run`: build the images, look around, run one command."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from tools.lab.fault import LabFault
from tools.lab.lab import Lab, Saved, ordinary
from tools.lab.progress import Report, to_stderr
from tools.lab.releases import RELEASES, of
from tools.lab.shell import interact
from tools.lab.topology import ARRAY, NODES

Machines = Callable[[Report], Mapping[str, Saved]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.lab", description=__doc__)
    text = "node a has this release of Debian, and no Python of its own"
    parser.add_argument("--release", choices=RELEASES, help=text)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("build", help="build what the cache lacks")
    shell = actions.add_parser("shell", help="a fresh array and nodes, and a shell on the first node")
    shell.add_argument("nodes", nargs="*", choices=NODES, default=["a"])
    run = actions.add_parser("run", help="run a command in a fresh lab with the array and that machine")
    run.add_argument("machine", choices=[ARRAY, *NODES])
    run.add_argument("command", nargs="+")
    return parser.parse_args()


def _build(machines: Machines) -> int:
    start = time.monotonic()
    for saved in machines(to_stderr).values():
        to_stderr(f"lab: {saved.disk} ready after {time.monotonic() - start:.1f} s")
    return 0


def _shell(nodes: list[str], machines: Machines) -> int:
    with Lab(nodes, machines=machines) as lab:
        start = time.monotonic()
        lab.start()
        to_stderr(f"lab: array and node {', '.join(nodes)} loaded in {time.monotonic() - start:.1f} s")
        interact(lab, nodes[0])
    return 0


def _run(machine: str, command: list[str], machines: Machines) -> int:
    with Lab([machine] if machine in NODES else [], machines=machines) as lab:
        lab.start()
        result = lab.machine(machine).run(" ".join(command), timeout=600, check=False)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.exit_status if result.exit_status >= 0 else 128 - result.exit_status


def main() -> int:
    """Run the command line and return the exit status."""
    arguments = _arguments()
    machines: Machines = of(RELEASES[arguments.release]) if arguments.release else ordinary
    try:
        match arguments.action:
            case "build":
                return _build(machines)
            case "shell":
                return _shell(arguments.nodes, machines)
            case _:
                return _run(arguments.machine, arguments.command, machines)
    except LabFault as fault:
        sys.stderr.write(f"lab: {fault}\n")
        return 1


sys.exit(main())
