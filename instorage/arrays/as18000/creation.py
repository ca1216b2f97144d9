"""Making volumes; it converges when an answer is lost or another thread was faster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import pools, volumes
from instorage.arrays.as18000.session.call import require_nothing_done
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import name_or_id, object_name
from instorage.arrays.as18000.session.refusal import EXISTS, NO_SPACE, NOT_FOUND, Refused
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Provisioning, Volume, VolumeSpec

ATTEMPTS = 2  # an operation is given again only after the array said that it was not done


def create(cli: Cli, spec: VolumeSpec, *, adopt: bool = True) -> Volume:
    """Make the volume, or return the one that is there if size, pools and kind fit.

    VOLUME_EXISTS, without `adopt` also for one that was there first; POOL_FULL, POOL_MISSING. But
    OUTCOME_UNKNOWN whatever else goes wrong once a command may have been carried out: the space that a second
    one does not find any more may be what the first one takes, and half a volume is not «nothing».
    """
    _require_pools(spec)
    try:
        return _created(cli, spec, adopt=adopt)
    except Fault as fault:
        if fault.code is not Code.VOLUME_EXISTS:
            require_nothing_done(fault)
        raise


def _created(cli: Cli, spec: VolumeSpec, *, adopt: bool) -> Volume:
    for attempt in range(ATTEMPTS):
        first = not adopt and not attempt
        there = volumes.find(cli, spec.name, sure=first)
        if there is not None and first:
            raise _there_first(cli, spec)
        if there is not None:
            return _fitting(cli, there, spec)
        try:
            cli.operate(*_words(cli, spec))
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


def _require_pools(spec: VolumeSpec) -> None:
    if len(spec.pools) != (1 if spec.level is Level.BASIC else 2):
        raise Fault(
            Code.BAD_REQUEST,
            f"Volume {spec.name}: level {spec.level} and {len(spec.pools)} pools do not fit.",
        )


def _words(cli: Cli, spec: VolumeSpec) -> tuple[str, ...]:
    """Return the command; all-flash pools take neither tiering nor a grain size (array-as18000.md 5.1)."""
    named = ":".join(object_name(pool, "pool") for pool in spec.pools)
    groups = [name_or_id(group, "I/O group") for group in spec.io_groups]
    flash = any(pools.of_flash(cli, pool) for pool in spec.pools)
    how = replace(spec.provisioning, grain_kib=None) if flash else spec.provisioning
    head = ("-name", object_name(spec.name, "volume"), *volumes.size_words(spec.size))
    if spec.level is Level.ACTIVE_ACTIVE:
        access = ("-iogrp", ":".join(groups)) if groups else ()
        return ("mkvolume", *head, "-pool", named, *access, *_active_active_space(how))
    copies = ("-copies", "2") if spec.level is Level.MIRROR else ()
    access = ("-iogrp", groups[0]) if groups else ()
    if groups and spec.level is Level.MIRROR:
        access = ("-accessiogrp", groups[0], *access)
    tier = () if flash else ("-intier", "on" if how.tiering else "off")
    return ("mkvdisk", *head, *copies, "-mdiskgrp", named, *access, *_space(how), *tier)


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
        shown = volumes.copy_pools(cli, there.name) if there.level is Level.MIRROR else there.pools
        if sorted(shown) != sorted(spec.pools):
            differs.append(f"is in {' and '.join(shown)}, {' and '.join(spec.pools)} is asked for")
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
        gone = [name for name in spec.pools if pools.find(cli, name) is None]
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
    there = [pool for pool in (pools.find(cli, name) for name in spec.pools) if pool is not None]
    needed = volumes.whole_gib(spec.size)
    figures = ", ".join(f"{p.name} has {_gib(p.free)} of {_gib(p.capacity)} free" for p in there)
    return Fault(
        Code.POOL_FULL,
        f"Volume {spec.name} of {_gib(needed)} does not fit on array {cli.array}: {figures}. Free space "
        "there, or use another pool.",
        array=cli.array,
        pool=spec.pools[0],
        free=min((pool.free for pool in there), default=0),
        needed=needed,
    )


def _gib(size: int) -> str:
    return f"{size / volumes.GIB:.1f} GiB"
