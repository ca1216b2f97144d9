"""A vdisk elsewhere: migratevdisk (pool), movevdisk (I/O group), addvdiskaccess and rmvdiskaccess.

movevdisk leaves the access as it is, so hosts go on through the old group until the two others have been
called (5.5). The codes for an offline vdisk, a second migration and members of a relationship are inferred.
"""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.capacity import require_space
from simulator.model.context import Change, Context
from simulator.model.state import Copy, State, Vdisk, find
from simulator.operations.copies import copy_named
from simulator.operations.hostmaps import reached
from simulator.operations.vdisks import iogroup, pools_named

MIGRATEVDISK = syntax("mdiskgrp= copy= vdisk= threads=", takes_object=False)
MOVEVDISK = syntax("iogrp= node= force", needs_object=True)
VDISKACCESS = syntax("iogrp=", needs_object=True)


def migratevdisk(context: Context, arguments: Arguments) -> Change:
    """Bring a copy's extents to another pool in the background; hosts notice nothing."""
    state, now = context.state, context.sensors.now()
    vdisk = _vdisk(state, arguments.require("vdisk"))
    copy = _only_or_named(vdisk, arguments.get("copy"))
    pools = pools_named(state, arguments.require("mdiskgrp"))
    if len(pools) > 1:
        raise ArrayError("CMMVC5711E", arguments.require("mdiskgrp"))
    if copy.target is not None:
        raise ArrayError("CMMVC5849E")
    if pools[0].id == copy.pool:
        raise ArrayError("CMMVC6430E")
    if vdisk.function and pools[0].site != state.pools[copy.pool].site:
        raise ArrayError("CMMVC5753E")  # an active-active volume's copies stay on their sites
    if vdisk.status != "online":
        raise ArrayError("CMMVC5782E")
    if not copy.synchronized(now):
        raise ArrayError("CMMVC6357E")
    under_way = replace(copy, target=pools[0].id, begun=now, until=now + context.dialect.copy_seconds)
    copies = tuple(under_way if other == copy else other for other in vdisk.copies)
    new = state.with_vdisk(replace(vdisk, copies=copies))
    require_space(new, {pools[0].id}, context.usage, "CMMVC5860E")
    return Change(new)


def movevdisk(context: Context, arguments: Arguments) -> Change:
    """Give a vdisk to another I/O group's nodes; its access stays."""
    group = iogroup(context.topology, arguments.require("iogrp"))
    vdisk = _vdisk(context.state, arguments.object or "")
    if vdisk.function:
        raise ArrayError("CMMVC5838E")
    return Change(context.state.with_vdisk(replace(vdisk, iogrp=group)))


def addvdiskaccess(context: Context, arguments: Arguments) -> Change:
    """Let hosts reach a vdisk through further I/O groups."""
    vdisk = _vdisk(context.state, arguments.object or "")
    return reached(context, vdisk, set(vdisk.access) | _groups(context, arguments))


def rmvdiskaccess(context: Context, arguments: Arguments) -> Change:
    """Take I/O groups from a vdisk's access; its own stays, and one at least (the code is inferred)."""
    vdisk = _vdisk(context.state, arguments.object or "")
    left = set(vdisk.access) - (_groups(context, arguments) - {vdisk.iogrp})
    if not left:
        raise ArrayError("CMMVC5753E")
    return reached(context, vdisk, left)


def _groups(context: Context, arguments: Arguments) -> set[int]:
    return {iogroup(context.topology, part) for part in arguments.require("iogrp").split(":")}


def _only_or_named(vdisk: Vdisk, number: str | None) -> Copy:
    if number is not None:
        return copy_named(vdisk, number)
    if len(vdisk.copies) > 1:
        raise ArrayError("CMMVC5707E")
    return vdisk.copies[0]


def _vdisk(state: State, key: str) -> Vdisk:
    vdisk = find(state.vdisks, key)
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    return vdisk
