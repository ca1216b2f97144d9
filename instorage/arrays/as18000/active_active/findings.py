"""What can be seen of an active-active volume without a record, and what a person must find out.

After the first step nothing on the array links the four vdisks, so this guesses nothing: it lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.active_active import Function
from instorage.arrays.as18000 import volumes
from instorage.arrays.as18000.active_active import picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.volume_name import VolumeName

SHOWN = 12  # candidates in one sentence


def findings(cli: Cli, name: VolumeName) -> tuple[str, ...]:
    """Return sentences: first what the array shows, then what is to be found out. VOLUME_MISSING."""
    rows = volumes.vdisks(cli, name)
    if not rows:
        raise volumes.missing(cli, name)
    if sorted(row.get("function") for row in rows) == sorted(Function):
        return tuple(_whole(cli, name))
    return tuple(_broken(cli, name, rows))


def _whole(cli: Cli, name: VolumeName) -> Iterator[str]:
    seen = picture.read(cli, name)
    sizes = ", ".join(f"{m.function} {m.name} {m.size} bytes" for m in seen.members)
    yield f"Volume {name} has its four vdisks: {sizes}."
    if len({member.size for member in seen.members}) > 1:
        yield "Their sizes differ: find out to what size all four are to be grown."
    if seen.relationship is not None:
        r = seen.relationship
        yield f"Relationship {r.name} is {r.state}, its primary is {r.primary or 'not said'}."
    if not seen.tied:
        yield "The relationship does not tie exactly these four: see lsrcrelationship."
    if seen.access < 2:
        yield "Hosts reach the master through one I/O group only: addvdiskaccess for the aux's group is left."
    if seen.tied:
        yield (
            "If an expansion was broken off here, find out whether anything was written while there was "
            "no relationship and whether it was made with -sync: then the copies may differ, and it "
            "must be made again without -sync."
        )


def _broken(cli: Cli, name: VolumeName, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        function = row.get("function") or "tied to nothing"
        where = f"{row['IO_group_name']}, UID {row['vdisk_UID']}"
        yield f"{row['name']} ({function}): {row['capacity']} bytes, {where}."
    known = {row["id"] for row in rows}
    candidates = [row for row in untied(cli, cli.rows("lsvdisk", "-bytes")) if row["id"] not in known]
    listed = ", ".join(_described(row) for row in candidates[:SHOWN])
    more = f" and {len(candidates) - SHOWN} more" if len(candidates) > SHOWN else ""
    yield (
        f"Vdisks that are tied and mapped to nothing, among which the others can be: {listed}{more}."
        if candidates
        else "No vdisk is tied and mapped to nothing: the others were deleted, or are in use elsewhere."
    )
    yield (
        "Find out which of them are the aux and the two change volumes (thin ones, of the same size before "
        "the expansion, one on each site), to what size all four are to be grown, and whether anybody wrote "
        "to the aux. The relationship must then be made without -sync: writes since it was removed are on "
        "the master only."
    )


def untied(cli: Cli, rows: Sequence[Row]) -> Iterator[Row]:
    """Give those of all vdisks that are tied and mapped to nothing."""
    mapped = {row["vdisk_id"] for row in cli.rows("lshostvdiskmap")}
    for row in rows:
        plain = not row.get("function") and not row.get("RC_id") and row.number("lc_map_count", "0") == 0
        if plain and row["id"] not in mapped:
            yield row


def _described(row: Row) -> str:
    thin = "thin" if row.number("se_copy_count", "0") else "thick"
    return f"{row['name']} ({row['capacity']} bytes, {thin}, {row['mdisk_grp_name']}, {row['IO_group_name']})"
