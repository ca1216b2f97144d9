"""What must hold before an active-active volume is untied (safety.md 18, preconditions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.active_active import Function
from instorage.arrays.as18000 import growth, pools
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.active_active import ActiveActive, Member, Relationship
    from instorage.arrays.as18000.session.cli import Cli

OWN_MAPS = 2


def require_ready(cli: Cli, picture: ActiveActive, host: str, target: int) -> None:
    """Raise VOLUME_NOT_READY with everything that stands in the way, or POOL_FULL with the figures."""
    troubles = list(_troubles(picture, host))
    if troubles:
        raise not_ready(cli, picture, "; ".join(troubles))
    _require_room(cli, picture, target)


def require_growable(cli: Cli, picture: ActiveActive, target: int) -> None:
    """Raise the same where a vdisk that is too small could not grow: before a pair that is tied is untied."""
    short = [member for member in picture.members if member.size < target]
    troubles = [trouble for member in short for trouble in _unable(member)]
    if troubles:
        raise not_ready(cli, picture, "; ".join(troubles))
    _require_room(cli, picture, target)


def _require_room(cli: Cli, picture: ActiveActive, target: int) -> None:
    growing = [member for member in picture.members if not member.thin and member.size < target]
    for name in {member.pool for member in growing}:
        pool = pools.find(cli, name)
        if pool is None:
            continue
        needed = sum(pool.needed(member.size, target) for member in growing if member.pool == name)
        if pool.free < needed:
            raise growth.full(cli, picture.volume, target, pool, needed)


def require_synchronized(cli: Cli, picture: ActiveActive, relationship: Relationship | None) -> None:
    """Raise VOLUME_NOT_READY unless the relationship, as it was read just now, is sound."""
    trouble = next(_unsound(relationship), None)
    if trouble is None and relationship != picture.relationship:
        trouble = "its relationship has just changed"
    if trouble is not None:
        raise not_ready(cli, picture, trouble)


def not_ready(cli: Cli, picture: ActiveActive, trouble: str) -> Fault:
    """Return VOLUME_NOT_READY."""
    return Fault(
        Code.VOLUME_NOT_READY,
        f"Active-active volume {picture.volume} on array {cli.array} is not expanded now: {trouble}. Nothing "
        "was changed; it is tried again.",
        array=cli.array,
        volume=picture.volume,
    )


def _troubles(picture: ActiveActive, host: str) -> Iterator[str]:
    yield from _unsound(picture.relationship)
    if picture.relationship is not None and not picture.tied:
        yield "its four vdisks and its relationship do not belong together (see lsrcrelationship)"
    for member in picture.members:
        yield from _unable(member)
    if len({member.size for member in picture.members}) > 1:
        sizes = ", ".join(f"{member.name} {member.size}" for member in picture.members)
        yield f"its four vdisks have different sizes ({sizes})"
    if picture.hosts != (host,):
        mapped = ", ".join(picture.hosts) or "no host"
        yield f"it is mapped to {mapped}, and must be mapped to {host} alone"
    if picture.stray_hosts:
        yield f"its aux or a change volume is mapped to {', '.join(picture.stray_hosts)}"
    if picture.member(Function.MASTER) is None:
        yield "it has no master"


def _unable(member: Member) -> Iterator[str]:
    if not member.online:
        yield f"{member.name}, its {member.function}, is not online"
    if member.formatting:
        yield f"{member.name}, its {member.function}, is still being formatted"
    if member.copy_maps > OWN_MAPS:
        yield f"{member.name}, its {member.function}, has snapshots or clones: delete them first"


def _unsound(relationship: Relationship | None) -> Iterator[str]:
    if relationship is None:
        yield "it has no relationship: was an expansion broken off? See instoragectl barrier plan"
        return
    if not relationship.synchronized:
        yield f"its copies are not synchronised (relationship {relationship.name} is {relationship.state})"
    if relationship.primary != "master":
        yield (
            f"relationship {relationship.name} runs from its {relationship.primary or 'unknown side'}, as "
            "after the loss of a site (the array turns it back by itself, or switchrcrelationship -primary "
            f"master {relationship.name} does)"
        )
