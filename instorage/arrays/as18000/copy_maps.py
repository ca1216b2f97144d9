"""LocalCopy maps (snapshots, clones) of a volume, for the sentence that says what is in the way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.volume_name import VolumeName

SHOWN = 5


def of(cli: Cli, name: VolumeName) -> str:
    """Return the maps of a volume with the other ends, for a sentence; empty when they cannot be told."""
    found: list[str] = []
    with contextlib.suppress(Fault):
        for end, other in (("source", "target"), ("target", "source")):
            rows = cli.rows("lslcmap", "-filtervalue", f"{end}_vdisk_name={name}")
            found += [_shown(row, other) for row in rows if row.get("rc_controlled") != "yes"]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def _shown(row: Row, other: str) -> str:
    way = "to" if other == "target" else "from"
    return f"{row['name']} {way} volume {row[f'{other}_vdisk_name']} ({row['status']})"
