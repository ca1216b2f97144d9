"""Reads the picture of an active-active volume: by its name, or by its vdisks' UIDs while it is untied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.active_active import ActiveActive, Function, Member, Relationship
from instorage.arrays.as18000 import mapping, volumes
from instorage.arrays.as18000.session.quoting import object_name
from instorage.operation import overlap
from instorage.volume_name import VolumeName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli


def read(cli: Cli, name: VolumeName) -> ActiveActive:
    """Return the picture of a volume that is whole; VOLUME_MISSING, VOLUME_NOT_READY when it is not."""
    rows = volumes.vdisks(cli, name)
    if not rows:
        raise volumes.missing(cli, name)
    functions = sorted(row.get("function") for row in rows)
    if functions != sorted(Function):
        raise volumes.incomplete(cli, name, rows)
    return _picture(cli, name, [_member(row, Function(row["function"])) for row in rows])


def reread(cli: Cli, name: VolumeName, known: Sequence[Member]) -> ActiveActive:
    """Return the picture of these vdisks, looked up by UID, which is never given twice."""
    return _picture(cli, name, _again(cli, known))


def relationship(cli: Cli, master: str) -> Relationship | None:
    """Return the relationship of a master (a vdisk id, which is the relationship's id too)."""
    rows = cli.sure_rows("lsrcrelationship", "-filtervalue", f"id={master}")
    return next((_relationship(row) for row in rows if row["id"] == master), None)


def system_name(cli: Cli) -> str:
    """Return the name that mkrcrelationship takes for `-cluster`."""
    return cli.detail("lssystem").head()["name"]


def _again(cli: Cli, known: Sequence[Member]) -> list[Member]:
    def look(member: Member) -> Member | None:
        condition = f"vdisk_UID={member.uid.upper()}"
        rows = cli.sure_rows("lsvdisk", "-bytes", "-filtervalue", condition)
        found = (row for row in rows if row["vdisk_UID"].lower() == member.uid)
        return next((_member(row, member.function) for row in found), None)

    found = overlap([lambda member=member: look(member) for member in known])  # type: ignore[misc]
    return [member for member in found if member is not None]


def _picture(cli: Cli, name: VolumeName, members: Iterable[Member]) -> ActiveActive:
    found = {member.function: member for member in members}
    ordered = tuple(found[function] for function in Function if function in found)
    master = found.get(Function.MASTER)
    if master is None:
        return ActiveActive(name, ordered, None, 0, (), _hosts(cli, ordered))
    mappings = mapping.of_volume(cli, VolumeName(master.name))
    groups = {group for found_map in mappings for group, _ in found_map.luns}
    return ActiveActive(
        volume=name,
        members=ordered,
        relationship=relationship(cli, master.id),
        access=_access(cli, master, len(groups)),
        hosts=tuple(sorted(found_map.host for found_map in mappings)),
        stray_hosts=_hosts(cli, [member for member in ordered if member is not master]),
    )


def _hosts(cli: Cli, members: Sequence[Member]) -> tuple[str, ...]:
    found = overlap(
        [lambda name=member.name: mapping.of_volume(cli, VolumeName(name)) for member in members]  # type: ignore[misc]
    )
    return tuple(sorted({one.host for mappings in found for one in mappings}))


def _access(cli: Cli, master: Member, mapped: int) -> int:
    """Return the number of I/O groups; firmware that does not print it still shows those of a mapping."""
    head = cli.detail("lsvdisk", "-bytes", object_name(master.name, "volume")).head()
    return head.number("access_IO_group_count", str(mapped))


def _member(row: Row, function: Function) -> Member:
    copies = row.number("copy_count", "1")
    return Member(
        function=function,
        shown=row.get("function"),
        id=row["id"],
        name=row["name"],
        uid=volumes.uid_of(row),
        size=volumes.size_of(row),
        io_group=row["IO_group_name"],
        pool=row["mdisk_grp_name"],
        thin=max(row.number("se_copy_count", "0"), row.number("compressed_copy_count", "0")) >= copies,
        online=row["status"] == "online",
        formatting=row.get("formatting") == "yes",
        copy_maps=row.number("lc_map_count", "0"),
        relationship=row.get("RC_id"),
    )


def _relationship(row: Row) -> Relationship:
    return Relationship(
        id=row["id"],
        name=row["name"],
        master=row["master_vdisk_id"],
        aux=row["aux_vdisk_id"],
        master_change=row.get("master_change_vdisk_id"),
        aux_change=row.get("aux_change_vdisk_id"),
        state=row["state"],
        primary=row["primary"],
        progress=row.number("progress") if row.get("progress") else None,
    )
