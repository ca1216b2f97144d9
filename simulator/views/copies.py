"""Queries about copies between volumes: lslcmap, lsvdisklcmappings, lsrcrelationship."""

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Detail, Row, Table, columns_of, yes
from simulator.model import availability, replication
from simulator.model.context import Context
from simulator.model.copying import copied_percent
from simulator.model.state import LocalCopyMap, Relationship, find

LSLCMAP = syntax(QUERY + "gui")
LSVDISKLCMAPPINGS = syntax(QUERY)
LSRCRELATIONSHIP = syntax(QUERY)

LCMAP = columns_of(
    "id name source_vdisk_id source_vdisk_name target_vdisk_id target_vdisk_name group_id group_name status"
    " progress copy_rate clean_progress incremental partner_LC_id partner_LC_name restoring start_time"
    " rc_controlled"
)
RELATIONSHIP = columns_of(
    "id name master_cluster_id master_cluster_name master_vdisk_id master_vdisk_name aux_cluster_id"
    " aux_cluster_name aux_vdisk_id aux_vdisk_name consistency_group_id primary consistency_group_name state"
    " bg_copy_priority progress freeze_time status sync copy_type cycling_mode cycle_period_seconds"
    " master_change_vdisk_id master_change_vdisk_name aux_change_vdisk_id aux_change_vdisk_name"
)


def lslcmap(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all LocalCopy maps, or one."""
    if arguments.object is not None:
        found = find(context.state.lcmaps, arguments.object)
        if found is None:
            raise ArrayError("CMMVC5754E")
        return Detail([list(_lcmap(context, found).items())])
    return Table(LCMAP, [_lcmap(context, m) for _, m in sorted(context.state.lcmaps.items())])


def _lcmap(context: Context, m: LocalCopyMap) -> Row:
    vdisks, done = context.state.vdisks, copied_percent(m, context.sensors.now())
    controlled = yes(m.rc_controlled)
    fields = (m.id, m.name, m.source, vdisks[m.source].name, m.target, vdisks[m.target].name, "", "",
              m.status, done, m.copy_rate, 100, "off", "", "", "no", m.started, controlled)  # fmt: skip
    return dict(zip(LCMAP, map(str, fields), strict=True))


def lsvdisklcmappings(context: Context, arguments: Arguments) -> Table:
    """Answer the maps of one vdisk."""
    vdisk = find(context.state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5754E")
    return Table(("id", "name"), [{"id": str(m.id), "name": m.name} for m in context.state.lcmaps_of(vdisk)])


def lsrcrelationship(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all relationships, or one."""
    if arguments.object is not None:
        found = find(context.state.relationships, arguments.object)
        if found is None:
            raise ArrayError("CMMVC5754E")
        return Detail([list(_relationship(context, found).items())])
    rows = [_relationship(context, r) for _, r in sorted(context.state.relationships.items())]
    return Table(RELATIONSHIP, rows)


def _relationship(context: Context, r: Relationship) -> Row:
    vdisks, system = context.state.vdisks, (context.topology.system_id, context.topology.name)
    status = availability.relationship_status(context.state, context.topology, r)
    synchronized = r.state == "consistent_synchronized"
    changes = [("", "") if i is None else (i, vdisks[i].name) for i in (r.master_change, r.aux_change)]
    fields = (r.id, r.name, *system, r.master, vdisks[r.master].name, *system, r.aux, vdisks[r.aux].name, "",
              r.primary, "", r.state, 50, replication.progress(r, context.sensors.now()), "", status,
              "in_sync" if synchronized else "out_of_sync", r.kind, "none", 300, *changes[0],
              *changes[1])  # fmt: skip
    return dict(zip(RELATIONSHIP, map(str, fields), strict=True))
