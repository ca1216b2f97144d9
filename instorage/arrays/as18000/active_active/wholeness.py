"""Whether a volume is, or may be, part of an active-active one whose picture is not whole.

Told without a record: who asks may be a host that has none. An active-active volume that is tied shows what
it lacks. One that is not tied, between the first step of an expansion and the sixth, is four plain vdisks
that nothing links, and its name is the master's alone: it counts as such when the array has three others that
could be its aux and change volumes. Where there is one site, there is no active-active volume.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from instorage.arrays.active_active import Function
from instorage.arrays.as18000.active_active import picture
from instorage.arrays.as18000.active_active.findings import untied
from instorage.arrays.as18000.volumes import GIB
from instorage.arrays.model import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instorage.arrays.active_active import ActiveActive
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Volume
    from instorage.wire.values import VolumeUid

_CLAIMS = re.compile(r"pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What a provisioner calls a volume in its own right: the array's names for the other three are never so."""


def doubt(cli: Cli, volume: Volume, known: frozenset[VolumeUid]) -> str:
    """Return what says that the volume is not whole, for a sentence; empty when nothing does.

    `known` are vdisks that a record says to be another volume's.
    """
    if volume.level is Level.ACTIVE_ACTIVE:
        return "; ".join(_lacking(picture.read(cli, volume.name)))
    if volume.level is Level.MIRROR:
        return ""  # two copies of one vdisk, and none of an active-active volume's has that
    return _alone(cli, volume, known)


def _lacking(seen: ActiveActive) -> Iterator[str]:
    """Say what is missing; how the copying stands is no part of it: a site may just be lost."""
    if seen.relationship is None:
        yield "there is no relationship between its copies"
    elif not seen.tied:
        yield f"relationship {seen.relationship.name} does not tie exactly its four vdisks"
    if len({member.size for member in seen.members}) > 1:
        sizes = ", ".join(f"{member.function} {member.size}" for member in seen.members)
        yield f"its vdisks differ in size ({sizes} bytes)"
    if seen.access < 2:
        yield "hosts reach it through one I/O group only"


def _alone(cli: Cli, volume: Volume, known: frozenset[VolumeUid]) -> str:
    sites = _sites(cli)
    if len(set(sites.values())) < 2:
        return ""
    rows = cli.sure_rows("lsvdisk", "-bytes")
    master = next((row for row in rows if row["vdisk_UID"].lower() == volume.uid), None)
    if master is None:
        return "it is not in the list of all vdisks"
    others = [row for row in untied(cli, rows) if row["vdisk_UID"].lower() not in known | {volume.uid}]
    found = _three(sites, master, [row for row in others if not _CLAIMS.fullmatch(row["name"])])
    if found is None:
        return ""
    functions = (Function.AUX, Function.MASTER_CHANGE, Function.AUX_CHANGE)
    named = ", ".join(f"{row['name']} ({what})" for row, what in zip(found, functions, strict=True))
    return f"it may be the master of an active-active volume of which {named} are the others, tied to nothing"


def _sites(cli: Cli) -> dict[str, str]:
    """Return the site of each I/O group with nodes; where no site is told of, each group counts as one.

    An empty word is an answer: that group is on no site.
    """
    groups = [row for row in cli.sure_rows("lsiogrp") if row.number("node_count")]
    told = {row["name"]: row.get("site_name") if "site_name" in row.fields else row["name"] for row in groups}
    return {name: site for name, site in told.items() if site}


def _three(sites: dict[str, str], master: Row, others: Sequence[Row]) -> tuple[Row, Row, Row] | None:
    """Return an aux, master's and aux's change volume that could have been one volume with the master.

    Of four vdisks of an expansion some have the old size, the others the new one.
    """
    home = sites.get(master["IO_group_name"])
    placed = [(sites.get(row["IO_group_name"]), row) for row in others]
    for size, site in itertools.product(_sizes(master, others), set(sites.values()) - {home}):
        fits = [(at, row) for at, row in placed if row["capacity"] in (size, master["capacity"])]
        change = next((row for at, row in fits if at == home and _thin(row)), None)
        aux_change = next((row for at, row in fits if at == site and _thin(row)), None)
        aux = next((row for at, row in fits if at == site and row is not aux_change), None)
        if aux is not None and change is not None and aux_change is not None:
            return aux, change, aux_change
    return None


def _sizes(master: Row, others: Sequence[Row]) -> Iterator[str]:
    """Give what the others may have: the master grows first, and by whole GiB, in the vendor's driver too."""
    own = master.number("capacity")
    for size in dict.fromkeys(row["capacity"] for row in others):
        if size.isdecimal() and int(size) <= own and (own - int(size)) % GIB == 0:
            yield size


def _thin(row: Row) -> bool:
    return max(row.number("se_copy_count", "0"), row.number("compressed_copy_count", "0")) > 0
