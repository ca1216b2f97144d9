"""`instoragectl`: the administrator's program for a node. `instoragectl pin` ties the helper to its arrays.

Exit status 0, 1 for a failure (said on standard error), 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent import ctl_pin
from nodeagent.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="instoragectl", description="Administer InStorage volumes of a node."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pin = commands.add_parser(
        "pin",
        help="let the root helper use the configured arrays and no other",
        description="Asks every array of instorage.yaml for its portals, target names and the beginning of "
        "its volumes' UIDs, and writes them into helper.conf. A node agent that was broken into can then "
        "bring no array of its own. To be run again when an array, a node of one or a port is added.",
    )
    pin.add_argument("--dry-run", action="store_true", help="show what would change, write nothing")
    pin.add_argument(
        "--config", type=Path, default=Paths.from_environment().configuration, help="instorage.yaml"
    )
    pin.add_argument("--file", type=Path, default=ctl_pin.HELPER_CONF, help="helper.conf")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    os.umask(0o022)
    given = _parser().parse_args(argv)
    try:
        for line in ctl_pin.pin(given.config, given.file, dry_run=given.dry_run):
            print(line)
    except Fault as fault:
        print(f"instoragectl: {fault.sentence}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
