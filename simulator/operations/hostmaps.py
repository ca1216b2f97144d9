"""Operations on host mappings: mkvdiskhostmap, rmvdiskhostmap."""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.context import Change, Context, Step
from simulator.model.protection import require_idle
from simulator.model.state import Host, HostMap, State, Vdisk, find
from simulator.operations.hosts import hide, show

MKVDISKHOSTMAP = syntax("force host= scsi=", needs_object=True)
RMVDISKHOSTMAP = syntax("host=", needs_object=True)
HIGHEST_LUN = 2047


def mkvdiskhostmap(context: Context, arguments: Arguments) -> Change:
    """Map a volume to a host under a given or the lowest free LUN number."""
    state = context.state
    vdisk, host = _vdisk(state, arguments.object), _host(state, arguments.require("host"))
    if vdisk.function in ("aux", "master_change", "aux_change"):
        raise ArrayError("CMMVC5753E")  # only the master of an active-active volume is a candidate
    if vdisk.function == "master" and not host.site and _wants_site(context):
        raise ArrayError("CMMVC9999E", host.name)
    existing = state.maps_of_vdisk(vdisk)
    if any(m.host == host.id for m in existing):
        raise ArrayError("CMMVC5878E")
    if existing and not arguments.has("force"):
        raise ArrayError("CMMVC6071E")
    lun = _lun(context, host, arguments.get("scsi"))
    names = host.names(*context.topology.port_kinds)
    steps = show(context, vdisk.uid, vdisk.size, vdisk.access, names, lun)
    state = state.with_hostmap(HostMap(host.id, vdisk.id, lun))
    state = state.with_host(replace(host, next_lun=max(host.next_lun, lun + 1)))
    state = state.with_vdisk(replace(vdisk, used_at=context.sensors.now()))
    return Change(state, tuple(steps), f"Virtual Disk to Host map, id [{lun}], successfully created\n")


def rmvdiskhostmap(context: Context, arguments: Arguments) -> Change:
    """Unmap a volume from a host, in every I/O group."""
    state = context.state
    vdisk, host = _vdisk(state, arguments.object), _host(state, arguments.require("host"))
    gone = [m for m in state.maps_of_vdisk(vdisk) if m.host == host.id]
    if not gone:
        raise ArrayError("CMMVC5842E")
    require_idle(context, [vdisk])
    return Change(state.without_hostmaps(gone), unmapping(context, gone))


def unmapping(context: Context, gone: list[HostMap]) -> tuple[Step, ...]:
    """Return the steps that take these mappings from their initiators."""
    steps: list[Step] = []
    for mapping in gone:
        vdisk, host = context.state.vdisks[mapping.vdisk], context.state.hosts[mapping.host]
        steps += hide(vdisk.uid, vdisk.size, host.names(*context.topology.port_kinds), mapping.lun)
    return tuple(steps)


def reached(context: Context, vdisk: Vdisk, groups: set[int]) -> Change:
    """Return the change that lets hosts reach a vdisk through these I/O groups, and through no other."""
    ports = context.topology.exporting_groups()
    before, after = bool(ports & set(vdisk.access)), bool(ports & groups)
    changed = replace(vdisk, access=tuple(sorted(groups)))
    steps: list[Step] = []
    for mapping in context.state.maps_of_vdisk(vdisk) if before is not after else []:
        names = context.state.hosts[mapping.host].names(*context.topology.port_kinds)
        if after:
            steps += show(context, vdisk.uid, vdisk.size, changed.access, names, mapping.lun)
        else:
            steps += hide(vdisk.uid, vdisk.size, names, mapping.lun)
    return Change(context.state.with_vdisk(changed), tuple(steps))


def _wants_site(context: Context) -> bool:
    """Tell whether this firmware knows sites and wants each host of an active-active volume at one."""
    return context.dialect.host_site and context.dialect.columns != "old"


def _vdisk(state: State, key: str | None) -> Vdisk:
    vdisk = find(state.vdisks, key or "")
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    return vdisk


def _host(state: State, key: str) -> Host:
    host = find(state.hosts, key)
    if host is None:
        raise ArrayError("CMMVC5754E")
    return host


def _lun(context: Context, host: Host, wanted: str | None) -> int:
    taken = {m.lun for m in context.state.maps_of_host(host)}
    if wanted is None:
        first = 0 if context.dialect.lun_reuse == "immediate" else host.next_lun
        return next(lun for lun in range(first, first + len(taken) + 1) if lun not in taken)
    if not wanted.isdigit() or int(wanted) > HIGHEST_LUN:
        raise ArrayError("CMMVC5844E", wanted)
    if int(wanted) in taken:
        raise ArrayError("CMMVC5879E")
    return int(wanted)
