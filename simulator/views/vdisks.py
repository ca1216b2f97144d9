"""Queries about vdisks and their copies: lsvdisk, lsvdiskcopy."""

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Detail, Row, Table, columns_of, yes
from simulator.model import availability, capacity
from simulator.model.capacity import shown
from simulator.model.context import Context
from simulator.model.state import Copy, Vdisk, find
from simulator.model.topology import IO_GROUPS

LSVDISK = syntax(QUERY + "bytes")
LSVDISKCOPY = syntax(QUERY + "bytes gui copy=")

OLD_COLUMNS = 19


def lsvdisk(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all vdisks, or one vdisk's attributes with a section for each copy."""
    exact = arguments.has("bytes")
    if arguments.object is not None:
        vdisk = find(context.state.vdisks, arguments.object)
        if vdisk is None:
            raise ArrayError("CMMVC5754E")
        copies = [list(copy_section(context, vdisk, copy, exact=exact).items()) for copy in by_id(vdisk)]
        return Detail([list(_detail(context, vdisk, exact=exact).items()), *copies])
    rows = [_row(context, vdisk, exact=exact) for _, vdisk in sorted(context.state.vdisks.items())]
    columns = tuple(_row(context, _BLANK, exact=exact))
    if context.dialect.columns == "old":
        columns = columns[:OLD_COLUMNS]
    return Table(columns, rows)


_BLANK = Vdisk(0, "", 0, 0, "", (), 0)


def _row(context: Context, vdisk: Vdisk, *, exact: bool) -> Row:
    """One line of the list: 30 columns as captured on an MCS array."""
    return (
        _head(context, vdisk, exact=exact)
        | _copy_map(context, vdisk)
        | {"vdisk_UID": vdisk.uid, "lc_map_count": str(len(context.state.lcmaps_of(vdisk)))}
        | {"copy_count": str(len(vdisk.copies)), "fast_write_state": "empty"}
        | {"se_copy_count": str(sum(copy.thin for copy in vdisk.copies)), "RC_change": yes(vdisk.change)}
        | {"compressed_copy_count": str(sum(copy.compressed for copy in vdisk.copies))}
        | _parent_pool(context, vdisk)
        | _volume(context, vdisk)
        | {"ica": "off", "ica_bypass": "off", "ica_pid": ""}
    )


def _detail(context: Context, vdisk: Vdisk, *, exact: bool) -> Row:
    formatted = yes(not vdisk.formatting(context.sensors.now()))
    return (
        _head(context, vdisk, exact=exact)
        | {"formatted": formatted, "mdisk_id": "", "mdisk_name": ""}
        | _copy_map(context, vdisk)
        | {"vdisk_UID": vdisk.uid, "throttling": vdisk.throttling}
        | _preferred_node(context, vdisk)
        | {"fast_write_state": "empty", "cache": "readwrite", "udid": ""}
        | {"lc_map_count": str(len(context.state.lcmaps_of(vdisk))), "sync_rate": str(vdisk.sync_rate)}
        | {"copy_count": str(len(vdisk.copies))}
        | {"se_copy_count": str(sum(copy.thin for copy in vdisk.copies)), "filesystem": ""}
        | {"mirror_write_priority": "latency", "RC_change": yes(vdisk.change)}
        | {"compressed_copy_count": str(sum(copy.compressed for copy in vdisk.copies))}
        | ({"access_IO_group_count": str(len(vdisk.access))} if context.dialect.access_count else {})
        | {"last_access_time": ""}
        | _parent_pool(context, vdisk)
        | _volume(context, vdisk)
    )


def _head(context: Context, vdisk: Vdisk, *, exact: bool) -> Row:
    pool_id, pool_name = _pool(context, vdisk)
    return {
        "id": str(vdisk.id),
        "name": vdisk.name,
        "IO_group_id": str(vdisk.iogrp),
        "IO_group_name": IO_GROUPS[vdisk.iogrp],
        "status": availability.vdisk_status(context.state, context.topology, vdisk),
        "mdisk_grp_id": pool_id,
        "mdisk_grp_name": pool_name,
        "capacity": shown(vdisk.size, exact=exact),
        "type": "striped" if len(vdisk.copies) < 2 else "many",
    }


def _copy_map(context: Context, vdisk: Vdisk) -> Row:
    maps = context.state.lcmaps_of(vdisk)
    relationship = context.state.relationship_of(vdisk)
    many = "many" if len(maps) > 1 else ""
    return {
        "LC_id": many or "".join(str(m.id) for m in maps),
        "LC_name": many or "".join(m.name for m in maps),
        "RC_id": str(relationship.id) if relationship else "",
        "RC_name": relationship.name if relationship else "",
    }


def _volume(context: Context, vdisk: Vdisk) -> Row:
    volume = context.state.vdisks.get(vdisk.volume, vdisk)
    return {
        "formatting": yes(vdisk.formatting(context.sensors.now())),
        "encrypt": "no",
        "volume_id": str(vdisk.volume),
        "volume_name": volume.name,
        "function": vdisk.function,
    }


def _pool(context: Context, vdisk: Vdisk) -> tuple[str, str]:
    pools = {copy.pool for copy in vdisk.copies}
    if len(pools) != 1:
        return "many", "many"
    pool = context.state.pools[pools.pop()]
    return str(pool.id), pool.name


def _parent_pool(context: Context, vdisk: Vdisk) -> Row:
    pool_id, pool_name = _pool(context, vdisk)
    return {"parent_mdisk_grp_id": pool_id, "parent_mdisk_grp_name": pool_name}


def _preferred_node(context: Context, vdisk: Vdisk) -> Row:
    if context.dialect.preferred_node == "missing":
        return {}
    if context.dialect.preferred_node == "empty":
        return {"preferred_node_id": ""}
    return {"preferred_node_id": str(context.topology.nodes_of(vdisk.iogrp)[0].id)}


def by_id(vdisk: Vdisk) -> list[Copy]:
    """Return a vdisk's copies in the order in which they are shown."""
    return sorted(vdisk.copies, key=lambda copy: copy.id)


def copy_section(context: Context, vdisk: Vdisk, copy: Copy, *, exact: bool) -> Row:
    """Return the attributes of one copy, as a section of lsvdisk's detail view."""
    pool = context.state.pools[copy.pool]
    used = capacity.used(vdisk, copy, context.usage)
    real = capacity.real(vdisk, copy, context.usage)
    thin = copy.thin
    return {
        "copy_id": str(copy.id),
        "status": availability.copy_status(context.state, copy),
        "sync": yes(copy.synchronized(context.sensors.now())),
        "primary": yes(copy == vdisk.copies[0]),
        "mdisk_grp_id": str(pool.id),
        "mdisk_grp_name": pool.name,
        "type": "striped",
        "mdisk_id": "",
        "mdisk_name": "",
        "fast_write_state": "empty",
        "used_capacity": shown(used, exact=exact),
        "real_capacity": shown(real, exact=exact),
        "free_capacity": shown(real - used, exact=exact),
        "overallocation": str(vdisk.size * 100 // real) if real else "100",
        "autoexpand": ("on" if copy.autoexpand else "off") if thin else "",
        "warning": str(copy.warning) if thin else "",
        "grainsize": str(copy.grain) if copy.grain else "",
        "se_copy": yes(thin),
        "in_tier": copy.intier,
        "in_tier_status": "balanced" if copy.intier == "on" else "measured",
        "tier": "tier_hdd",
        "tier_capacity": shown(real, exact=exact),
        "compressed_copy": yes(copy.compressed),
        "uncompressed_used_capacity": shown(used, exact=exact),
        "parent_mdisk_grp_id": str(pool.id),
        "parent_mdisk_grp_name": pool.name,
        "encrypt": "no",
    }


COPY_COLUMNS = columns_of(
    "vdisk_id vdisk_name copy_id status sync primary mdisk_grp_id mdisk_grp_name capacity type se_copy"
    " in_tier in_tier_status compressed_copy parent_mdisk_grp_id parent_mdisk_grp_name encrypt"
)


def lsvdiskcopy(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for the copies of all vdisks or one; with -copy the detail view of one copy."""
    exact = arguments.has("bytes")
    pairs = copies_meant(context, arguments, needs_object=not arguments.get("filtervalue"))
    rows = [
        {"vdisk_id": str(vdisk.id), "vdisk_name": vdisk.name, "capacity": shown(vdisk.size, exact=exact)}
        | copy_section(context, vdisk, copy, exact=exact)
        for vdisk, copy in pairs
    ]
    if arguments.get("copy") is not None:
        return Detail([list(rows[0].items())])
    extra = ("used_capacity", "real_capacity", "free_capacity") if arguments.has("gui") else ()
    return Table(COPY_COLUMNS + extra, rows)


def copies_meant(context: Context, arguments: Arguments, *, needs_object: bool) -> list[tuple[Vdisk, Copy]]:
    """Return the copies of all vdisks, or what an object and -copy name; 5804E, 6353E."""
    vdisks = list(context.state.vdisks.values())
    if arguments.object is not None or needs_object:
        vdisk = find(context.state.vdisks, arguments.object or "")
        if vdisk is None:
            raise ArrayError("CMMVC5804E")
        vdisks = [vdisk]
    pairs = [(vdisk, copy) for vdisk in vdisks for copy in by_id(vdisk)]
    wanted = arguments.get("copy")
    if wanted is not None:
        pairs = [(vdisk, copy) for vdisk, copy in pairs if str(copy.id) == wanted]
        if not pairs:
            raise ArrayError("CMMVC6353E")
    return pairs
