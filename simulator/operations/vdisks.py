"""Operations on plain vdisks (basic, thin, compressed, mirror): mkvdisk, rmvdisk."""

from dataclasses import dataclass, replace

from simulator.language.arguments import Arguments, syntax, valid_name
from simulator.language.codes import ArrayError
from simulator.model.capacity import percentage, real_size, require_space, size_in_bytes
from simulator.model.context import Change, Context, Step
from simulator.model.protection import require_idle
from simulator.model.state import THICK, Copy, Pool, State, Vdisk, find, free_id
from simulator.model.topology import IO_GROUPS, Topology
from simulator.operations.hostmaps import unmapping

MKVDISK = syntax(
    "name= size= unit= mdiskgrp= iogrp= accessiogrp= rsize= warning= autoexpand compressed grainsize= intier="
    " copies= syncrate= deduped nofmtdisk node=",
    takes_object=False,
)
RMVDISK = syntax("force", needs_object=True)
GRAINS = {"32": 32, "64": 64, "128": 128, "256": 256}
DEFAULT_GRAIN = 256


@dataclass(frozen=True)
class Provisioning:
    """How a new volume's copies allocate, as read from the command."""

    rsize: int
    autoexpand: bool
    warning: int
    grain: int
    compressed: bool
    intier: str

    def copy(self, copy_id: int, pool: Pool) -> Copy:
        """Return a copy of this kind in a pool."""
        return Copy(copy_id, pool.id, self.rsize, self.autoexpand, self.warning, self.grain, self.compressed,
                    self.intier)  # fmt: skip


def mkvdisk(context: Context, arguments: Arguments) -> Change:
    """Make a vdisk with one copy, or with two in two pools (a mirror)."""
    state, topology = context.state, context.topology
    size = size_in_bytes(arguments.require("size"), arguments.get("unit"))
    pools = pools_named(state, arguments.require("mdiskgrp"))
    if str(len(pools)) != (arguments.get("copies") or "1"):
        raise ArrayError("CMMVC5711E", arguments.get("copies") or "1")
    if any(pool.category == "ssa" for pool in pools):
        refuse_tiers(arguments)
    kind = provisioning(arguments, size)
    vdisk_id = free_id(state.vdisks)
    group = arguments.get("iogrp")
    iogrp = iogroup(topology, group) if group is not None else default_iogroup(context, pools[0])
    vdisk = Vdisk(
        id=vdisk_id,
        name=new_name(state, arguments, vdisk_id),
        size=size,
        iogrp=iogrp,
        uid=topology.uid(state.uids),
        copies=tuple(kind.copy(number, pool) for number, pool in enumerate(pools)),
        volume=vdisk_id,
        access=_access(topology, arguments.get("accessiogrp"), iogrp),
        sync_rate=sync_rate(arguments.get("syncrate")),
        formatted_at=_formatted_at(context, arguments, kind),
    )
    new = replace(state.with_vdisk(vdisk), uids=state.uids + 1)
    require_space(new, {pool.id for pool in pools}, context.usage)
    return Change(new, text=f"Virtual Disk, id [{vdisk_id}], successfully created\n")


def refuse_tiers(arguments: Arguments) -> None:
    """Refuse what a pool of flash alone does not take (inferred: the vendor's driver leaves it out)."""
    for flag in ("intier", "grainsize"):
        if arguments.get(flag) is not None:
            raise ArrayError("CMMVC5709E", f"-{flag}")


def rmvdisk(context: Context, arguments: Arguments) -> Change:
    """Remove a plain vdisk; with -force its host mappings and LocalCopy maps go first."""
    state = context.state
    vdisk = find(state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    entangled = bool(state.maps_of_vdisk(vdisk) or state.lcmaps_of(vdisk))
    if vdisk.function or state.relationship_of(vdisk) or (entangled and not arguments.has("force")):
        raise ArrayError("CMMVC5840E")
    require_idle(context, [vdisk])
    return removal(context, [vdisk])


def removal(context: Context, vdisks: list[Vdisk]) -> Change:
    """Return the change that removes vdisks with everything that hangs on them; their data is destroyed."""
    state = context.state
    ids = {vdisk.id for vdisk in vdisks}
    maps = [m for m in state.hostmaps if m.vdisk in ids]
    new = replace(
        state.without_hostmaps(maps),
        vdisks={k: v for k, v in state.vdisks.items() if k not in ids},
        lcmaps={k: m for k, m in state.lcmaps.items() if not ids & {m.source, m.target}},
        relationships={k: r for k, r in state.relationships.items() if r.master not in ids},
    )
    return Change(new, (*unmapping(context, maps), *(_destroy(vdisk.uid) for vdisk in vdisks)))


def _destroy(uid: str) -> Step:
    return Step(lambda plane: plane.delete(uid), None)


def new_name(state: State, arguments: Arguments, vdisk_id: int) -> str:
    """Return the -name (valid and not in use; 6035E, 6527E, 5738E) or the array's default name."""
    name = valid_name(arguments.get("name") or f"vdisk{vdisk_id}")
    if find(state.vdisks, name):
        raise ArrayError("CMMVC6035E")
    return name


def pools_named(state: State, text: str) -> list[Pool]:
    """Return the pools of a colon list of ids or names; 5754E when one is missing."""
    pools = [find(state.pools, key) for key in text.split(":")]
    found = [pool for pool in pools if pool is not None]
    if len(found) != len(pools):
        raise ArrayError("CMMVC5754E")
    if len(found) > 2:
        raise ArrayError("CMMVC5711E", text)
    return found


def iogroup(topology: Topology, text: str) -> int:
    """Return the I/O group of an id or name; 5729E unless it exists and has nodes."""
    for number, name in IO_GROUPS.items():
        if text in (str(number), name) and topology.nodes_of(number):
            return number
    raise ArrayError("CMMVC5729E")


def default_iogroup(context: Context, pool: Pool) -> int:
    """Return the least used I/O group on the pool's site, as an active-active system picks one."""
    usable = [g for g in IO_GROUPS if context.topology.site_of_iogrp(g) == pool.site]
    usable = usable or [g for g in IO_GROUPS if context.topology.nodes_of(g)]
    counts = {g: sum(v.iogrp == g for v in context.state.vdisks.values()) for g in usable}
    return min(usable, key=lambda g: (counts[g], g))


def _access(topology: Topology, text: str | None, iogrp: int) -> tuple[int, ...]:
    groups = {iogroup(topology, part) for part in text.split(":")} if text is not None else set()
    return tuple(sorted(groups | {iogrp}))


def provisioning(arguments: Arguments, size: int) -> Provisioning:
    """Return how a copy of `size` bytes allocates; 5707E, 5711E, 5713E."""
    arguments.exclude("compressed", "grainsize")
    rsize, unit = arguments.get("rsize"), arguments.get("unit")
    intier = arguments.get("intier") or "on"
    if intier not in ("on", "off"):
        raise ArrayError("CMMVC5711E", intier)
    if rsize is None:
        thin_only = {"warning", "autoexpand", "compressed", "grainsize", "deduped"}
        if thin_only & (arguments.switches | arguments.values.keys()):
            raise ArrayError("CMMVC5707E")
        return Provisioning(THICK, autoexpand=False, warning=0, grain=0, compressed=False, intier=intier)
    compressed = arguments.has("compressed")
    return Provisioning(
        rsize=real_size(rsize, unit, size),
        autoexpand=arguments.has("autoexpand"),
        warning=percentage(arguments.get("warning") or "80%"),
        grain=0 if compressed else grain_size(arguments.get("grainsize")),
        compressed=compressed,
        intier=intier,
    )


def grain_size(text: str | None) -> int:
    """Return the -grainsize in KiB; 5711E unless 32, 64, 128 or 256."""
    if text is None:
        return DEFAULT_GRAIN
    if text not in GRAINS:
        raise ArrayError("CMMVC5711E", text)
    return GRAINS[text]


def sync_rate(text: str | None) -> int:
    """Return the -syncrate (0 to 100), 50 when none is given; 5711E."""
    if text is None:
        return 50
    if not text.isdigit() or int(text) > 100:
        raise ArrayError("CMMVC5711E", text)
    return int(text)


def _formatted_at(context: Context, arguments: Arguments, kind: Provisioning) -> float:
    if kind.rsize != THICK or arguments.has("nofmtdisk"):
        return 0.0
    return context.sensors.now() + context.dialect.format_seconds
