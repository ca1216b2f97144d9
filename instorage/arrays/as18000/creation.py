"""Making and deleting volumes; both converge when an answer is lost or another thread was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import copy_maps, mapping, volumes
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import name_or_id, object_name
from instorage.arrays.as18000.session.refusal import EXISTS, IN_USE, NO_SPACE, NOT_FOUND, Refused
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Provisioning, Volume, VolumeSpec
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid

ATTEMPTS = 2  # an operation is given again only after the array said that it was not done


def create(cli: Cli, spec: VolumeSpec, *, adopt: bool = True) -> Volume:
    """Make the volume, or return the one that is there if size, pools and kind fit.

    VOLUME_EXISTS, without `adopt` also for one that was there first; POOL_FULL, POOL_MISSING,
    OUTCOME_UNKNOWN.
    """
    words = _words(spec)
    for attempt in range(ATTEMPTS):
        first = not adopt and not attempt
        there = volumes.find(cli, spec.name, sure=first)
        if there is not None and first:
            raise _there_first(cli, spec)
        if there is not None:
            return _fitting(cli, there, spec)
        try:
            cli.operate(*words)
        except OutcomeUnknown:
            if attempt == ATTEMPTS - 1:
                return _fitting(cli, _reread(cli, spec), spec)
            continue
        except Refused as refused:
            if refused.cmmvc != EXISTS:
                raise _explained(cli, spec, refused) from refused
            if first:  # somebody was faster
                raise _there_first(cli, spec) from refused
        break
    return _fitting(cli, _reread(cli, spec), spec)


def delete(cli: Cli, name: VolumeName, uid: VolumeUid | None = None) -> bool:
    """Delete a volume that nothing maps and no LocalCopy map uses; False when it was not there.

    VOLUME_MAPPED names the hosts. NOT_OURS unless it has that UID, if one is given. Never with -force or
    -removehostmappings: the array itself refuses a mapping made in the same moment.
    """
    first = there = volumes.find(cli, name)
    if first is not None and uid not in (None, first.uid):
        raise _another(cli, first, uid)
    for attempt in range(ATTEMPTS):
        if there is None or first is None or there.uid != first.uid:
            return first is not None  # a new volume under the old name is not ours to delete
        try:
            cli.operate(*_removal(cli, there))
        except OutcomeUnknown:
            there = volumes.find(cli, name)
            if there is not None and attempt == ATTEMPTS - 1:
                raise
            continue
        except Refused as refused:
            if refused.cmmvc in NOT_FOUND and volumes.find(cli, name) is None:
                return False
            raise _kept(cli, name, refused) from refused
        return True
    return True


def _words(spec: VolumeSpec) -> tuple[str, ...]:
    pools = ":".join(object_name(pool, "pool") for pool in spec.pools)
    groups = [name_or_id(group, "I/O group") for group in spec.io_groups]
    if len(spec.pools) != (1 if spec.level is Level.BASIC else 2):
        raise Fault(
            Code.BAD_REQUEST,
            f"Volume {spec.name}: level {spec.level} and {len(spec.pools)} pools do not fit.",
        )
    head = ("-name", object_name(spec.name, "volume"), *volumes.size_words(spec.size))
    if spec.level is Level.ACTIVE_ACTIVE:
        access = ("-iogrp", ":".join(groups)) if groups else ()
        return ("mkvolume", *head, "-pool", pools, *access, *_active_active_space(spec.provisioning))
    copies = ("-copies", "2") if spec.level is Level.MIRROR else ()
    access = ("-iogrp", groups[0]) if groups else ()
    if groups and spec.level is Level.MIRROR:
        access = ("-accessiogrp", groups[0], *access)
    tier = "on" if spec.provisioning.tiering else "off"
    space = _space(spec.provisioning)
    return ("mkvdisk", *head, *copies, "-mdiskgrp", pools, *access, *space, "-intier", tier)


def _space(how: Provisioning) -> tuple[str, ...]:
    """Options of mkvdisk (array-as18000.md 5.1)."""
    if not (how.thin or how.compressed):
        return ()
    words = ["-rsize", f"{how.initial_percent}%"]
    words += ["-warning", f"{how.warning_percent}%"] if how.warning_percent is not None else []
    words += ["-autoexpand"] if how.auto_expand else []
    if how.compressed:
        return (*words, "-compressed")
    return (*words, *(("-grainsize", str(how.grain_kib)) if how.grain_kib else ()))


def _active_active_space(how: Provisioning) -> tuple[str, ...]:
    """Options of mkvolume (array-as18000.md 5.2)."""
    if not (how.thin or how.compressed):
        return ()
    words = ["-buffersize", f"{how.initial_percent}%"]
    words += ["-warning", f"{how.warning_percent}%"] if how.warning_percent is not None else []
    words += [] if how.auto_expand else ["-noautoexpand"]
    if how.compressed:
        return (*words, "-compressed")
    return (*words, "-thin", *(("-grainsize", str(how.grain_kib)) if how.grain_kib else ()))


def _reread(cli: Cli, spec: VolumeSpec) -> Volume:
    volume = volumes.find(cli, spec.name)
    if volume is None:
        raise Fault(
            Code.OUTCOME_UNKNOWN,
            f"Array {cli.array} does not show volume {spec.name} after it was made, or another object "
            "has that name. It will be looked for again; see lsvdisk on the array if this stays.",
            array=cli.array,
            volume=spec.name,
        )
    return volume


def _there_first(cli: Cli, spec: VolumeSpec) -> Fault:
    return Fault(
        Code.VOLUME_EXISTS,
        f"Volume {spec.name} was on array {cli.array} before it was to be made: look at it there.",
        array=cli.array,
        volume=spec.name,
    )


def _fitting(cli: Cli, there: Volume, spec: VolumeSpec) -> Volume:
    differs = []
    if not spec.size <= there.size <= volumes.whole_gib(spec.size):
        differs.append(f"has {there.size} bytes, {spec.size} are asked for")
    if there.level is not spec.level:
        differs.append(f"is {there.level}, {spec.level} is asked for")
    else:
        pools = volumes.copy_pools(cli, there.name) if there.level is Level.MIRROR else there.pools
        if sorted(pools) != sorted(spec.pools):
            differs.append(f"is in {' and '.join(pools)}, {' and '.join(spec.pools)} is asked for")
    if not differs:
        return there
    raise Fault(
        Code.VOLUME_EXISTS,
        f"Volume {spec.name} is already on array {cli.array}, but {'; it '.join(differs)}. Delete or rename "
        "it there, or ask for what it is.",
        array=cli.array,
        volume=spec.name,
    )


def _explained(cli: Cli, spec: VolumeSpec, refused: Refused) -> Fault:
    if refused.cmmvc in NO_SPACE:
        return _full(cli, spec)
    if refused.cmmvc in NOT_FOUND:
        gone = [name for name in spec.pools if volumes.pool(cli, name) is None]
        if gone:
            return Fault(
                Code.POOL_MISSING,
                f"There is no pool {' and no pool '.join(gone)} on array {cli.array}: correct volPoolName or "
                "volAuxPoolName.",
                array=cli.array,
                pool=gone[0],
            )
    return refused


def _full(cli: Cli, spec: VolumeSpec) -> Fault:
    pools = [pool for pool in (volumes.pool(cli, name) for name in spec.pools) if pool is not None]
    needed = volumes.whole_gib(spec.size)
    figures = ", ".join(f"{p.name} has {_gib(p.free)} of {_gib(p.capacity)} free" for p in pools)
    return Fault(
        Code.POOL_FULL,
        f"Volume {spec.name} of {_gib(needed)} does not fit on array {cli.array}: {figures}. Free space "
        "there, or use another pool.",
        array=cli.array,
        pool=spec.pools[0],
        free=min((pool.free for pool in pools), default=0),
        needed=needed,
    )


def _gib(size: int) -> str:
    return f"{size / volumes.GIB:.1f} GiB"


def _removal(cli: Cli, volume: Volume) -> tuple[str, ...]:
    if volume.copy_relations:
        raise _copied(cli, volume)
    if volume.level is Level.ACTIVE_ACTIVE:
        # its own relationship and change-volume maps go with it; no others are there, see above
        return ("rmvolume", "-removercrelationships", "-removelcmaps", volume.name)
    return ("rmvdisk", volume.name)


def _another(cli: Cli, there: Volume, uid: VolumeUid | None) -> Fault:
    return Fault(
        Code.NOT_OURS,
        f"Volume {there.name} on array {cli.array} is not deleted: its name was given to another volume just "
        f"now (UID {there.uid}, not {uid}). Look at both on the array.",
        array=cli.array,
        volume=there.name,
    )


def _kept(cli: Cli, name: VolumeName, refused: Refused) -> Fault:
    if refused.cmmvc != IN_USE:
        return refused
    hosts = sorted(found.host for found in mapping.of_volume(cli, name))
    if hosts:
        return Fault(
            Code.VOLUME_MAPPED,
            f"Volume {name} on array {cli.array} is not deleted: it is mapped to {', '.join(hosts)}. It goes "
            "when the mapping is gone.",
            array=cli.array,
            volume=name,
            hosts=", ".join(hosts),
        )
    there = volumes.find(cli, name)
    return _copied(cli, there) if there is not None and there.copy_relations else refused


def _copied(cli: Cli, volume: Volume) -> Fault:
    maps = copy_maps.of(cli, volume.name)
    return Fault(
        Code.VOLUME_NOT_READY,
        f"Volume {volume.name} on array {cli.array} is not deleted: it takes part in {volume.copy_relations} "
        f"LocalCopy map(s){f', {maps}' if maps else ''}. Delete its snapshots and clones first, or wait "
        "until the copying ends.",
        array=cli.array,
        volume=volume.name,
    )
