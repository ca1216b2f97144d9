"""Growing basic and mirrored volumes; the array takes a difference, so the size is read before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import copy_maps, named, pools, volumes
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import IN_COPY_MAP, NO_SPACE, NOT_FOUND, Refused
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.as18000.unsettled import Past
    from instorage.arrays.model import Pool, Volume
    from instorage.volume_name import VolumeName


def grow(cli: Cli, past: Past, name: VolumeName, size: int) -> Volume:
    """Make a basic or mirrored volume at least `size` bytes, rounded up to whole GiB.

    While a growth of the `past` may be under way none is sent, nor to another volume of the name.
    BAD_REQUEST, VOLUME_MISSING, VOLUME_NOT_READY, POOL_FULL, OUTCOME_UNKNOWN.
    """
    with past.unsettled.turn(name, past.patience):
        before = volumes.find(cli, name)
        if before is None:
            raise volumes.missing(cli, name)
        if past.log:
            named.require(cli, name, before.uid, past.log.uid)
        if size <= before.size:
            return before
        _refuse(cli, past, before, size)
        target = volumes.whole_gib(size)
        require_room(cli, before, target)
        try:
            with past.sending(target):
                cli.operate("expandvdisksize", *volumes.more_words(target - before.size), name)
        except OutcomeUnknown:
            past.unsettled.lost(before.uid, past.patience)
            after = volumes.find(cli, name)
            if after is None or after.uid != before.uid or after.size < target:
                raise
            return after
        except Refused as refused:
            raise _explained(cli, before, target, refused) from refused
        return _grown(cli, before, target)


def require_room(cli: Cli, volume: Volume, target: int) -> None:
    """Raise POOL_FULL unless every pool has the extents that a thick copy will take."""
    detail = cli.detail("lsvdisk", "-bytes", object_name(volume.name, "volume"))
    for copy in detail.groups("copy_id"):
        if "yes" not in (copy["se_copy"], copy.get("compressed_copy")):
            pool = pools.find(cli, copy["mdisk_grp_name"])
            if pool is not None and pool.free < pool.needed(volume.size, target):
                raise full(cli, volume.name, target, pool, pool.needed(volume.size, target))


def full(cli: Cli, name: str, target: int, pool: Pool, needed: int) -> Fault:
    """Return POOL_FULL with the figures."""
    return Fault(
        Code.POOL_FULL,
        f"Volume {name} on array {cli.array} cannot grow to {_gib(target)}: pool {pool.name} has "
        f"{_gib(pool.free)} free, {_gib(needed)} are needed. Free space there, or add capacity to it.",
        array=cli.array,
        volume=name,
        pool=pool.name,
        free=pool.free,
        needed=needed,
    )


def _gib(size: int) -> str:
    return f"{size / volumes.GIB:.2f} GiB"


def _refuse(cli: Cli, past: Past, volume: Volume, size: int) -> None:
    if size >= 1 << 60:
        raise Fault(Code.BAD_REQUEST, f"{size} is not a size in bytes.", value=str(size)[:40])
    if volume.level is Level.ACTIVE_ACTIVE:
        raise Fault(
            Code.NOT_SUPPORTED,
            f"Volume {volume.name} on array {cli.array} is active-active: it grows by an expansion of all "
            "four vdisks, not by one command.",
            array=cli.array,
            volume=volume.name,
        )
    left = past.left(volume)
    if left > 0:
        raise Fault(
            Code.OUTCOME_UNKNOWN,
            f"Array {cli.array} did not answer the last growth of volume {volume.name}, which may still be "
            f"under way: its size is read again in {left:.0f} s, before anything is added.",
            array=cli.array,
            volume=volume.name,
        )


def _grown(cli: Cli, before: Volume, target: int) -> Volume:
    after = volumes.find(cli, before.name)
    if after is None or after.uid != before.uid or after.size < target:
        shown = "it is gone" if after is None else f"it has {after.size} bytes and the UID {after.uid}"
        raise Fault(
            Code.OUTCOME_UNKNOWN,
            f"Array {cli.array} took the growth of volume {before.name} to {target} bytes, but {shown}. It "
            "will be looked at again; see lsvdisk on the array if this stays.",
            array=cli.array,
            volume=before.name,
        )
    return after


def _explained(cli: Cli, volume: Volume, target: int, refused: Refused) -> Fault:
    if refused.cmmvc in NOT_FOUND and volumes.find(cli, volume.name) is None:
        return volumes.missing(cli, volume.name)
    if refused.cmmvc == IN_COPY_MAP and (maps := copy_maps.of(cli, volume.name)):
        return Fault(refused.code, f"{refused.sentence} They are {maps}.", **refused.fields)
    if refused.cmmvc not in NO_SPACE:
        return refused
    names = volumes.copy_pools(cli, volume.name)
    there = [pool for pool in (pools.find(cli, name) for name in names) if pool is not None]
    if not there:
        return refused
    least = min(there, key=lambda pool: pool.free)
    needed = least.needed(volume.size, target)
    if least.free < needed:
        return full(cli, volume.name, target, least, needed)
    return Fault(
        refused.code,
        f"Volume {volume.name} on array {cli.array} cannot grow to {_gib(target)}: the array says it "
        f"has no space, though pool {least.name} has {_gib(least.free)} free and {_gib(needed)} are needed. "
        "Is it being migrated to another pool (lsmigrate)? Then that one needs the space as well.",
        array=cli.array,
        volume=volume.name,
        cmmvc=refused.cmmvc,
    )
