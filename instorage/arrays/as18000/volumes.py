"""Volumes as lsvdisk shows them (array-as18000.md 4.6): one row is basic or mirror, four are aa."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import BAD_FILTER, NOT_FOUND, Refused
from instorage.arrays.model import Level, Usage, Volume
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, VolumeUid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instorage.arrays.as18000.session.answer import Detail, Row
    from instorage.arrays.as18000.session.cli import Cli

GIB = 1 << 30
FUNCTIONS = frozenset({"master", "aux", "master_change", "aux_change"})
OWN_MAPS = 2  # LocalCopy maps of an active-active vdisk to its own change volume


def whole_gib(size: int) -> int:
    """Return `size` bytes rounded up to what is asked of the array (the vendor's driver does the same)."""
    return -(-size // GIB) * GIB


def size_words(size: int) -> tuple[str, ...]:
    """Return the size of a new volume as the array's command line takes it."""
    return ("-size", str(whole_gib(size) // GIB), "-unit", "gb")


def more_words(difference: int) -> tuple[str, ...]:
    """Return what a volume is to grow by, exactly: in GiB, or in bytes if it was no whole number of GiB."""
    if difference % GIB:
        return ("-size", str(difference), "-unit", "b")
    return ("-size", str(difference // GIB), "-unit", "gb")


def missing(cli: Cli, name: str) -> Fault:
    """Return VOLUME_MISSING."""
    return Fault(
        Code.VOLUME_MISSING,
        f"There is no volume {name} on array {cli.array}: create it there, or correct the name.",
        array=cli.array,
        volume=name,
    )


def find(cli: Cli, name: VolumeName, *, sure: bool = True) -> Volume | None:
    """Return the volume of that name; None when the array says (twice, if `sure`) that there is none."""
    return _volume(cli, name, vdisks(cli, name, sure=sure))


def vdisks(cli: Cli, name: VolumeName, *, sure: bool = True) -> list[Row]:
    """Return the vdisks of a volume: one, or the four of an active-active one; none (twice, if `sure`)."""
    object_name(name, "volume")
    if cli.volume_filter == "name":
        return _by_name(cli, name, sure=sure)
    try:
        rows = _filtered(cli, f"{cli.volume_filter}={name}", sure=sure)
    except Refused as refused:
        if refused.cmmvc != BAD_FILTER:
            raise
        cli.filter_by_name()
        return _by_name(cli, name, sure=sure)
    return [row for row in rows if _belongs(row) == name]


def _by_name(cli: Cli, name: VolumeName, *, sure: bool) -> list[Row]:
    """Look by the vdisk's own name; the four of an active-active volume are found in the list of all."""
    rows = _filtered(cli, f"name={name}", sure=sure)
    if any(row.get("function") for row in rows):
        rows = cli.sure_rows("lsvdisk", "-bytes")
    return [row for row in rows if _belongs(row) == name]


def find_by_uid(cli: Cli, uid: VolumeUid) -> Volume | None:
    """Return the volume of that UID; a second query reads the other vdisks of an active-active one."""
    rows = _filtered(cli, f"vdisk_UID={uid.upper()}", sure=True)
    rows = tuple(row for row in rows if row["vdisk_UID"].lower() == uid)
    if not rows:
        return None
    name = _name(rows[0], _belongs(rows[0]))
    if any(_belongs(row) != name for row in rows):
        raise rows[0].source.misfit(f"several volumes have the UID {uid}", uid=uid)
    if rows[0].get("function"):
        whole = find(cli, name)
        if whole is None:
            raise rows[0].source.misfit(f"it shows a vdisk of volume {name}, which it does not show", uid=uid)
        return whole
    return _volume(cli, name, rows)


def names(cli: Cli, prefix: str) -> tuple[str, ...]:
    """Return the names of the volumes that begin with `prefix`; an active-active one counts once."""
    found = {_belongs(row) for row in cli.sure_rows("lsvdisk", "-bytes")}
    return tuple(sorted(name for name in found if name.startswith(prefix)))


def usage(cli: Cli, name: VolumeName) -> Usage:
    """Return what the thin copies use, whether or not a thick one is beside them; VOLUME_MISSING.

    Of an active-active volume both sites are asked: what one has missed, the other has.
    """
    detail = _detail(cli, name)
    head = detail.head()
    copies = detail.groups("copy_id")
    if head.get("function") or head.get("RC_id"):
        aux = (row["name"] for row in vdisks(cli, name) if row.get("function") == "aux")
        copies += [copy for other in aux for copy in _detail(cli, other).groups("copy_id")]
    if not copies:
        raise detail.source.misfit("it shows no copy of the volume", column="copy_id")
    thin = [copy for copy in copies if "yes" in (copy["se_copy"], copy.get("compressed_copy"))]
    # what compression saved was written all the same
    used = (max(c.number("used_capacity"), _uncompressed(c)) for c in thin)
    return Usage(thin=len(thin) == len(copies), used=max(used, default=None))


def _detail(cli: Cli, name: str) -> Detail:
    try:
        return cli.detail("lsvdisk", "-bytes", object_name(name, "volume"))
    except Refused as refused:
        if refused.cmmvc in NOT_FOUND:
            raise missing(cli, name) from refused
        raise


def copy_pools(cli: Cli, name: VolumeName) -> tuple[str, ...]:
    """Return the pools of a mirror's copies, which the list view calls «many»."""
    copies = cli.detail("lsvdisk", "-bytes", object_name(name, "volume")).groups("copy_id")
    return tuple(copy["mdisk_grp_name"] for copy in copies)


def relationship(cli: Cli, name: VolumeName) -> str:
    """Return the name of the remote copy relationship that a volume is in, empty when it is in none."""
    head = cli.detail("lsvdisk", "-bytes", object_name(name, "volume")).head()
    return head.get("RC_name") or head.get("RC_id")


def _filtered(cli: Cli, condition: str, *, sure: bool) -> tuple[Row, ...]:
    ask = cli.sure_rows if sure else cli.rows
    return ask("lsvdisk", "-bytes", "-filtervalue", condition)


def _belongs(row: Row) -> str:
    """Name of the volume that a vdisk belongs to: its own where the firmware has no such column."""
    return row.get("volume_name") or row["name"]


def _uncompressed(copy: Row) -> int:
    return copy.number("uncompressed_used_capacity") if copy.get("uncompressed_used_capacity") else 0


def _name(row: Row, text: str) -> VolumeName:
    """Return a name that was given on the array; with a space it is no PV's, and an object's all the same."""
    try:
        return VolumeName(object_name(text, "volume"))
    except Fault as fault:
        raise row.source.misfit(fault.sentence.rstrip("."), column="name") from fault


def _volume(cli: Cli, name: VolumeName, rows: Sequence[Row]) -> Volume | None:
    if not rows:
        return None
    if len(rows) == 1 and not rows[0].get("function"):
        return _plain(name, rows[0])
    by_function = {row["function"]: row for row in rows}
    if len(rows) != len(FUNCTIONS) or by_function.keys() != FUNCTIONS:
        raise incomplete(cli, name, rows)
    return _active_active(name, by_function["master"], by_function["aux"])


def _plain(name: VolumeName, row: Row) -> Volume:
    mirrored = row.number("copy_count", "1") > 1
    return Volume(
        name=name,
        id=row["id"],
        uid=uid_of(row),
        size=size_of(row),
        level=Level.MIRROR if mirrored else Level.BASIC,
        online=_online(row),
        formatting=row.get("formatting") == "yes",
        pools=(row["mdisk_grp_name"],),
        copy_relations=row.number("lc_map_count", "0"),
    )


def _active_active(name: VolumeName, master: Row, aux: Row) -> Volume:
    return Volume(
        name=name,
        id=master["id"],
        uid=uid_of(master),
        size=size_of(master),
        level=Level.ACTIVE_ACTIVE,
        online=_online(master) or _online(aux),
        formatting="yes" in (master.get("formatting"), aux.get("formatting")),
        pools=(master["mdisk_grp_name"], aux["mdisk_grp_name"]),
        copy_relations=sum(max(0, row.number("lc_map_count", "0") - OWN_MAPS) for row in (master, aux)),
        degraded=_lost_site(master, aux),
    )


def _lost_site(master: Row, aux: Row) -> str:
    """Return which site is lost; nothing when both work, or neither (then it is offline)."""
    lost = [row for row in (master, aux) if not _online(row)]
    if len(lost) != 1:
        return ""
    return f"the site of the {lost[0]['function']} ({lost[0]['name']}) is down"


def incomplete(cli: Cli, name: str, rows: Sequence[Row]) -> Fault:
    """Return VOLUME_NOT_READY: the array does not show all four vdisks of an active-active volume."""
    shown = ", ".join(f"{row['name']} ({row.get('function') or 'plain'})" for row in rows[:8])
    return Fault(
        Code.VOLUME_NOT_READY,
        f"Volume {name} on array {cli.array} is not whole: an active-active volume has a master, an aux and "
        f"two change volumes, the array shows {shown}. Was an expansion broken off? See «instoragectl "
        f"barrier plan {name}» on the node that had it last.",
        array=cli.array,
        volume=name,
    )


def uid_of(row: Row) -> VolumeUid:
    """Return the UID of a row of lsvdisk."""
    try:
        return VolumeUid.parse(row["vdisk_UID"])
    except Fault as fault:
        raise row.source.misfit(fault.sentence.rstrip("."), column="vdisk_UID") from fault


def size_of(row: Row) -> Bytes:
    """Return the size of a row of lsvdisk -bytes."""
    try:
        return Bytes.parse(row.number("capacity"))
    except Fault as fault:
        raise row.source.misfit(fault.sentence.rstrip("."), column="capacity") from fault


def _online(row: Row) -> bool:
    return row["status"] in ("online", "degraded")  # degraded: a mirror's or a path's, hosts reach it
