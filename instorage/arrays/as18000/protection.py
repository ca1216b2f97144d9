"""Volume protection: the array neither unmaps nor deletes what has had I/O a short while ago, by no force.

IBM's documentation of the family («Volume protection», rmvdiskhostmap, rmvdisk): on by default on new
systems, for 15 minutes; system and pool must both have it enabled. The code of that refusal is not
documented, so every one that has no meaning of its own here counts as such while protection is on.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000 import volumes
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import MEANINGS, NOT_FOUND, Refused
from instorage.arrays.model import Protection
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.volume_name import VolumeName

COMMANDS = (
    "mcsop chsystem -vdiskprotectiontime MINUTES», or «mcsop chmdiskgrp -vdiskprotectionenabled no POOL"
)
OTHERS = NOT_FOUND | MEANINGS.keys()
log = logging.getLogger("instorage.arrays")


def read(cli: Cli) -> Protection | None:
    """Return what the system protects; None when it is off, or firmware does not know it."""
    head = cli.detail("lssystem").head()
    if not _enabled(head):
        return None
    pools = tuple(row["name"] for row in cli.sure_rows("lsmdiskgrp", "-bytes") if _enabled(row, "yes"))
    return Protection(head.number("vdisk_protection_time", "15"), pools) if pools else None


def explained(cli: Cli, refused: Refused, volume: VolumeName, *, host: str = "") -> Fault:
    """Return VOLUME_PROTECTED for a refused unmapping (from `host`) or deletion if it may be that.

    Else, and when the array cannot be asked, it is `refused`.
    """
    told = "protection" in refused.sentence.lower()
    if refused.cmmvc in OTHERS and not told:
        return refused
    try:
        minutes = _minutes(cli, volume)
    except Fault as fault:
        log.warning("%s", fault, extra=operation.extra())
        return refused
    if minutes is None and not told:
        return refused
    return _protected(cli, refused, volume, host, minutes)


def hint(cli: Cli) -> str:
    """Return the end of a sentence about a volume that another node still has, often empty."""
    try:
        found = read(cli)
    except Fault:
        return ""
    if found is None:
        return ""
    return f" Volume protection is on there: that may take {found.minutes} minutes after the last I/O."


def _minutes(cli: Cli, volume: VolumeName) -> int | None:
    """Return for how long a volume is protected after I/O; None when its pools or the system have it off."""
    head = cli.detail("lssystem").head()
    if not _enabled(head):
        return None
    pools = [
        cli.detail("lsmdiskgrp", "-bytes", object_name(pool, "pool")).head()
        for pool in volumes.copy_pools(cli, volume)
    ]
    protected = not pools or any(_enabled(pool, "yes") for pool in pools)
    return head.number("vdisk_protection_time", "15") if protected else None


def _enabled(row: Row, unsaid: str = "no") -> bool:
    return row.get("vdisk_protection_enabled", unsaid) == "yes"


def _protected(cli: Cli, refused: Refused, volume: VolumeName, host: str, minutes: int | None) -> Fault:
    left = f"mapped to {host}" if host else "undeleted"
    done = "unmapped" if host else "deleted"
    time = f"{minutes} minutes" if minutes else "some minutes"
    return Fault(
        Code.VOLUME_PROTECTED,
        f"Array {cli.array} keeps volume {volume} {left} for now ({refused.cmmvc or 'no code'}): volume "
        f"protection is on there, which refuses this for {time} after I/O. Nothing is wrong: it can be "
        f"{done} when that time is over, and agent and provisioner try it again by themselves. An "
        f"administrator who will not wait: «{COMMANDS}».",
        array=cli.array,
        volume=volume,
        cmmvc=refused.cmmvc,
    )
