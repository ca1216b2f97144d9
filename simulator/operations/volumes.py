"""Operations at volume level, active-active ones above all: mkvolume, rmvolume.

An active-active volume is four vdisks (master, aux, a change volume on each site), one relationship, and
four LocalCopy maps that the relationship controls: fact base, section 8 rule 3.
"""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model import replication
from simulator.model.capacity import percentage, real_size, require_space, size_in_bytes
from simulator.model.context import Change, Context
from simulator.model.protection import require_idle
from simulator.model.state import (
    THICK,
    Copy,
    Pool,
    Relationship,
    State,
    Vdisk,
    find,
    free_id,
)
from simulator.operations.vdisks import (
    DEFAULT_GRAIN,
    default_iogroup,
    grain_size,
    iogroup,
    new_name,
    pools_named,
    refuse_tiers,
    removal,
)

MKVOLUME = syntax(
    "name= size= unit= pool= iogrp= buffersize= warning= noautoexpand compressed thin grainsize=",
    takes_object=False,
)
RMVOLUME = syntax(
    "removehostmappings removercrelationships removelcmaps discardimage cancelbackup", needs_object=True
)
DEFAULT_BUFFER = "2%"


def mkvolume(context: Context, arguments: Arguments) -> Change:
    """Make a volume: basic with one pool, active-active with two pools on two sites, else a mirror."""
    state = context.state
    size = size_in_bytes(arguments.require("size"), arguments.get("unit"))
    pools = pools_named(state, arguments.require("pool"))
    groups = _groups(context, arguments.get("iogrp"), pools)
    copy = _copy(arguments, size)
    master_id = free_id(state.vdisks)
    name = new_name(state, arguments, master_id)
    if any(pool.category == "ssa" for pool in pools):
        refuse_tiers(arguments)
    across_sites = len({pool.site for pool in pools}) == 2
    if across_sites:
        new = _active_active(context, name, size, pools, groups, copy)
    else:
        copies = tuple(replace(copy, id=i, pool=pool.id) for i, pool in enumerate(pools))
        new = _with_new_vdisk(context, state, name, size, groups[0], copies)
    require_space(new, {pool.id for pool in pools}, context.usage)
    return Change(new, text=f"Virtual Disk, id [{master_id}], successfully created\n")


def rmvolume(context: Context, arguments: Arguments) -> Change:
    """Remove a volume with all of its vdisks; the switches allow host mappings and copy maps to go along."""
    state = context.state
    vdisk = find(state.vdisks, arguments.object or "")
    if vdisk is None or vdisk.function not in ("", "master"):
        raise ArrayError("CMMVC5753E")
    members = [v for v in state.vdisks.values() if v.volume == vdisk.id]
    mapped = any(state.maps_of_vdisk(v) for v in members)
    copied = any(not m.rc_controlled for v in members for m in state.lcmaps_of(v))
    if mapped and not arguments.has("removehostmappings"):
        raise ArrayError("CMMVC5840E")
    if copied and not arguments.has("removelcmaps"):
        raise ArrayError("CMMVC5840E")
    require_idle(context, members)
    return removal(context, members)


def _groups(context: Context, text: str | None, pools: list[Pool]) -> list[int]:
    """I/O groups in the order of the pools; two pools on two sites need a group on each one's site."""
    topology = context.topology
    if text is None:
        return [default_iogroup(context, pool) for pool in pools]
    groups = [iogroup(topology, part) for part in text.split(":")]
    sites = [pool.site for pool in pools]
    if len(set(sites)) == 2 and [topology.site_of_iogrp(g) for g in groups] != sites:
        raise ArrayError("CMMVC5711E", text)
    return groups


def _copy(arguments: Arguments, size: int) -> Copy:
    arguments.exclude("thin", "compressed")
    arguments.exclude("compressed", "grainsize")
    compressed = arguments.has("compressed")
    if not (compressed or arguments.has("thin")):
        thin_only = {"buffersize", "warning", "noautoexpand", "grainsize"}
        if thin_only & (arguments.switches | arguments.values.keys()):
            raise ArrayError("CMMVC5707E")
        return Copy(0, 0)
    return Copy(
        id=0,
        pool=0,
        rsize=real_size(arguments.get("buffersize") or DEFAULT_BUFFER, arguments.get("unit"), size),
        autoexpand=not arguments.has("noautoexpand"),
        warning=percentage(arguments.get("warning") or "80%"),
        grain=0 if compressed else grain_size(arguments.get("grainsize")),
        compressed=compressed,
    )


def _with_new_vdisk(
    context: Context, state: State, name: str, size: int, iogrp: int, copies: tuple[Copy, ...]
) -> State:
    vdisk_id = free_id(state.vdisks)
    formatting = context.dialect.format_seconds if copies[0].rsize == THICK else 0.0
    vdisk = Vdisk(
        id=vdisk_id,
        name=name or f"vdisk{vdisk_id}",
        size=size,
        iogrp=iogrp,
        uid=context.topology.uid(state.uids),
        copies=copies,
        volume=vdisk_id,
        access=(iogrp,),
        formatted_at=context.sensors.now() + formatting if formatting else 0.0,
    )
    if any(other.name == vdisk.name for other in state.vdisks.values()):
        vdisk = replace(vdisk, name=_other_name(state, vdisk.name))
    return replace(state.with_vdisk(vdisk), uids=state.uids + 1)


def _other_name(state: State, name: str) -> str:
    taken = {vdisk.name for vdisk in state.vdisks.values()}
    return next(n for n in (f"{name}_{i:02}" for i in range(1, 10000)) if n not in taken)


def _active_active(
    context: Context, name: str, size: int, pools: list[Pool], groups: list[int], copy: Copy
) -> State:
    state = context.state
    before = set(state.vdisks)
    change = Copy(0, 0, real_size("0%", None, size), autoexpand=True, grain=DEFAULT_GRAIN)
    for position, function in enumerate(replication.FUNCTIONS):
        side = position % 2
        kind = replace(change if function.endswith("_change") else copy, pool=pools[side].id)
        state = _with_new_vdisk(context, state, name if position == 0 else "", size, groups[side], (kind,))
    ids = [i for i in state.vdisks if i not in before]  # in the order of their functions
    master_id = ids[0]
    for vdisk_id, function in zip(ids, replication.FUNCTIONS, strict=True):
        access = tuple(sorted(set(groups))) if function == "master" else state.vdisks[vdisk_id].access
        member = replace(state.vdisks[vdisk_id], function=function, volume=master_id, access=access)
        state = state.with_vdisk(member)
    master, aux, master_change, aux_change = ids
    made = Relationship(master, replication.new_name(state), master, aux, master_change, aux_change)
    state = state.with_relationship(made)
    for side in (0, 1):
        state = replication.with_change_maps(state, ids[side], ids[side + 2])
    return state
