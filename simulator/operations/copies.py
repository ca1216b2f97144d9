"""Operations on the copies of a mirrored vdisk: addvdiskcopy, rmvdiskcopy, splitvdiskcopy.

The codes for one copy too many (6352E) and for one that is not synchronised or the last (6357E) are inferred.
"""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.capacity import require_space
from simulator.model.context import Change, Context
from simulator.model.protection import require_idle
from simulator.model.state import Copy, State, Vdisk, find, free_id
from simulator.operations.vdisks import (
    iogroup,
    new_name,
    pools_named,
    provisioning,
    refuse_tiers,
    removal,
    sync_rate,
)

ADDVDISKCOPY = syntax(
    "mdiskgrp= rsize= warning= autoexpand compressed grainsize= intier= syncrate= unit= deduped",
    needs_object=True,
)
RMVDISKCOPY = syntax("copy= force", needs_object=True)
SPLITVDISKCOPY = syntax("copy= name= iogrp= force", needs_object=True)
MOST = 2


def addvdiskcopy(context: Context, arguments: Arguments) -> Change:
    """Give a vdisk a second copy, which is synchronised in the background."""
    state, now = context.state, context.sensors.now()
    vdisk = _vdisk(state, arguments)
    pools = pools_named(state, arguments.require("mdiskgrp"))
    if any(pool.category == "ssa" for pool in pools):
        refuse_tiers(arguments)
    if vdisk.function:
        raise ArrayError("CMMVC5753E")  # an active-active volume's members have one copy each
    if len(vdisk.copies) + len(pools) > MOST:
        raise ArrayError("CMMVC6352E")
    number = next(n for n in range(MOST) if n not in {copy.id for copy in vdisk.copies})
    made = provisioning(arguments, vdisk.size).copy(number, pools[0])
    made = replace(made, begun=now, until=now + context.dialect.copy_seconds)
    rate = arguments.get("syncrate")
    changed = replace(vdisk, copies=(*vdisk.copies, made))
    if rate is not None:
        changed = replace(changed, sync_rate=sync_rate(rate))
    new = state.with_vdisk(changed)
    require_space(new, {pools[0].id}, context.usage)
    return Change(new, text=f"Vdisk [{vdisk.id}] copy [{number}] successfully created\n")


def rmvdiskcopy(context: Context, arguments: Arguments) -> Change:
    """Take a copy away; the last synchronised one goes with -force alone, and the vdisk with it."""
    vdisk = _vdisk(context.state, arguments)
    copy = copy_named(vdisk, arguments.require("copy"))
    rest = tuple(other for other in vdisk.copies if other != copy)
    if any(other.synchronized(context.sensors.now()) for other in rest):
        return Change(context.state.with_vdisk(replace(vdisk, copies=rest)))
    if not arguments.has("force"):
        raise ArrayError("CMMVC6357E")
    require_idle(context, [vdisk])
    return removal(context, [vdisk])


def splitvdiskcopy(context: Context, arguments: Arguments) -> Change:
    """Make a vdisk of its own, with its own UID and mapped to nobody, of a copy.

    Its data plane's backing, made when it is mapped, is empty: copies are no data there.
    """
    state = context.state
    vdisk = _vdisk(state, arguments)
    copy, now = copy_named(vdisk, arguments.require("copy")), context.sensors.now()
    rest = tuple(other for other in vdisk.copies if other != copy)
    if not any(other.synchronized(now) for other in rest):
        raise ArrayError("CMMVC6357E")
    if not copy.synchronized(now) and not arguments.has("force"):
        raise ArrayError("CMMVC6357E")
    group = arguments.get("iogrp")
    home = iogroup(context.topology, group) if group is not None else vdisk.iogrp
    number = free_id(state.vdisks)
    made = Vdisk(
        id=number,
        name=new_name(state, arguments, number),
        size=vdisk.size,
        iogrp=home,
        uid=context.topology.uid(state.uids),
        copies=(replace(copy, id=0, until=0.0),),
        volume=number,
        access=(home,),
        content=vdisk.content,
    )
    new = state.with_vdisk(replace(vdisk, copies=rest)).with_vdisk(made)
    return Change(
        replace(new, uids=state.uids + 1), text=f"Virtual Disk, id [{number}], successfully created\n"
    )


def copy_named(vdisk: Vdisk, number: str) -> Copy:
    """Return a vdisk's copy of that id; 6353E."""
    found = next((copy for copy in vdisk.copies if str(copy.id) == number), None)
    if found is None:
        raise ArrayError("CMMVC6353E")
    return found


def _vdisk(state: State, arguments: Arguments) -> Vdisk:
    vdisk = find(state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    return vdisk
