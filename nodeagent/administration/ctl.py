"""`instoragectl`: the administrator's program.

`pin` ties a node's helper to its arrays, `release` takes a volume from a node that is gone, `barrier`
explains and finishes an active-active expansion that was broken off, `arrays` says how the arrays are set up,
`multipath` compares what
multipathd has in force with the manual, `shadow-key` carries the key of the encrypted passwords to other
hosts.
`instoragectl adopt` is the provisioner's, which alone has a private key and Kubernetes' client: it is
executed from there, if a provisioner is installed on this host too.

Exit status 0, 1 for a failure (said on standard error), 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import places
from instorage.configuration import shadow_command
from instorage.volume_name import VolumeName
from instorage.wire.fault import Fault
from nodeagent.administration import arrays, barrier, multipath_check, pin, release
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="instoragectl", description="Administer InStorage volumes of a node."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    to_pin = commands.add_parser(
        "pin",
        help="let the root helper use the configured arrays and no other",
        description="Asks every array of instorage.yaml for its portals, target names and the beginning of "
        "its volumes' UIDs, and writes them into helper.conf. A node agent that was broken into can then "
        "bring no array of its own. To be run again when an array, a node of one or a port is added.",
    )
    to_pin.add_argument("--dry-run", action="store_true", help="show what would change, write nothing")
    to_pin.add_argument(
        "--config", type=Path, default=Paths.from_environment().configuration, help="instorage.yaml"
    )
    to_pin.add_argument("--file", type=Path, default=pin.HELPER_CONF, help="helper.conf")
    to_release = commands.add_parser(
        "release",
        help="take a volume from a node that is gone",
        description="Removes the volume's mapping to a node when the array says that the node is logged out, "
        "so that the volume's pod can start on another one.",
    )
    to_release.add_argument("volume", metavar="VOLUME", help="the volume's name, as of its PV")
    to_release.add_argument("--from", required=True, dest="node", metavar="NODE", help="the Kubernetes node")
    to_release.add_argument(
        "--although-logged-in",
        action="store_true",
        help="also from a node that is logged in: it loses what it has not written",
    )
    to_release.add_argument("--storage", metavar="NAME", help="the one array that is meant (storage[].name)")
    to_release.add_argument(
        "--config", type=Path, default=Paths.from_environment().configuration, help="instorage.yaml"
    )
    _add_barrier(commands)
    to_ask = commands.add_parser("arrays", help="say whether each array answers, and what it protects")
    to_ask.add_argument(
        "--config", type=Path, default=Paths.from_environment().configuration, help="instorage.yaml"
    )
    to_compare = commands.add_parser("multipath", help="compare what multipathd has in force with the manual")
    to_compare.add_argument("--json", action="store_true", help="only what is to be mended, for programs")
    shadow_command.add_to(commands)
    commands.add_parser("adopt", help="sign PVs that carry no signature (on a provisioner's host)")
    return parser


def _add_barrier(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    stopped = commands.add_parser(
        "barrier",
        help="an active-active expansion that was broken off on this node",
        description="While the barrier file is there nothing is attached to this node or detached from it.",
    )
    actions = stopped.add_subparsers(dest="action", required=True)
    actions.add_parser("show", help="which barrier files and records are here")
    for name, what in (
        ("plan", "what is left, as commands for the array; without a record: what can be seen of VOLUME"),
        ("resume", "do what is left, and remove barrier and record"),
    ):
        one = actions.add_parser(name, help=what, description=what)
        one.add_argument("volume", metavar="VOLUME", nargs="?", help="the volume's name, as of its PV")
    actions.add_parser("clear", help="remove the barrier file; what is known stays until the volume is whole")
    for one in actions.choices.values():
        one.add_argument(
            "--config", type=Path, default=Paths.from_environment().configuration, help="instorage.yaml"
        )


def adopt(arguments: Sequence[str]) -> int:
    """Become the provisioner's `instoragectl`; say where to run it when there is none here."""
    program = places.provisioner() / "instoragectl"
    if not os.access(program, os.X_OK):
        print(
            f"instoragectl: {program} is not on this host: run adopt on the host of a provisioner, which has "
            "the key, and bring what it prints to config/adopted here.",
            file=sys.stderr,
        )
        return 1
    os.execv(program, [str(program), "adopt", *arguments])  # noqa: S606  its own arguments, no shell


def _lines(given: argparse.Namespace) -> Iterator[str]:
    if given.command == "pin":
        return pin.pin(given.config, given.file, dry_run=given.dry_run)
    if given.command == "arrays":
        return arrays.report(given.config)
    if given.command == "multipath":
        return multipath_check.report(as_json=given.json)
    if given.command == "barrier":
        return _barrier(given)
    if given.command == "shadow-key":
        provisioners = places.provisioner() / "config/instorage.yaml"
        return shadow_command.run(given, (Paths.from_environment().configuration, provisioners))
    volume = VolumeName.parse(given.volume)
    return release.release(
        given.config, volume, given.node, logged_in=given.although_logged_in, storage=given.storage
    )


def _barrier(given: argparse.Namespace) -> Iterator[str]:
    if given.action == "show":
        return barrier.show(given.config)
    if given.action == "clear":
        return barrier.clear(given.config)
    volume = VolumeName.parse(given.volume) if given.volume else None
    if given.action == "plan":
        return barrier.plan(given.config, volume)
    return barrier.resume(given.config, volume, lambda phase: print(f"  {phase}", flush=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    os.umask(0o022)
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        if arguments[:1] == ["adopt"]:
            return adopt(arguments[1:])
        for line in _lines(_parser().parse_args(arguments)):
            print(line, flush=True)
    except Fault as fault:
        print(f"instoragectl: {fault.sentence}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
