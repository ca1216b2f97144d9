"""The query about pools: lsmdiskgrp, and the totals that lssystem shows."""

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Detail, Row, Table, yes
from simulator.model import availability, capacity
from simulator.model.capacity import shown
from simulator.model.context import Context
from simulator.model.protection import enabled, protects
from simulator.model.state import Pool, find
from simulator.model.topology import SITES

LSMDISKGRP = syntax(QUERY + "bytes")


def lsmdiskgrp(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all pools, or one pool with its tiers."""
    exact = arguments.has("bytes")
    if arguments.object is not None:
        pool = find(context.state.pools, arguments.object)
        if pool is None:
            raise ArrayError("CMMVC5754E")
        row = _row(context, pool, exact=exact)
        tier = [
            ("tier", "tier_hdd"),
            ("tier_mdisk_count", "1"),
            ("tier_capacity", row["capacity"]),
            ("tier_free_capacity", row["free_capacity"]),
        ]
        return Detail([[*row.items(), *tier]])
    rows = [_row(context, pool, exact=exact) for _, pool in sorted(context.state.pools.items())]
    return Table(tuple(rows[0]) if rows else (), rows)


def _row(context: Context, pool: Pool, *, exact: bool) -> Row:
    copies = capacity.copies_in(context.state, pool)
    virtual = sum(vdisk.size for vdisk, _ in copies)
    used = sum(capacity.used(vdisk, copy, context.usage) for vdisk, copy in copies)
    real = sum(capacity.real(vdisk, copy, context.usage) for vdisk, copy in copies)
    compressed = [(v, c) for v, c in copies if c.compressed]
    written = sum(capacity.used(v, c, context.usage) for v, c in compressed)
    row = {
        "id": str(pool.id),
        "name": pool.name,
        "status": availability.pool_status(context.state, pool),
        "mdisk_count": "1",
        "vdisk_count": str(len(copies)),
        "capacity": shown(pool.capacity, exact=exact),
        "extent_size": str(pool.extent // capacity.UNITS["mb"]),
        "free_capacity": shown(capacity.free(context.state, pool, context.usage), exact=exact),
        "virtual_capacity": shown(virtual, exact=exact),
        "used_capacity": shown(used, exact=exact),
        "real_capacity": shown(real, exact=exact),
        "overallocation": str(virtual * 100 // pool.capacity),
        "warning": "80",
        "in_tier": "auto",
        "in_tier_status": "balanced",
    }
    if context.dialect.columns == "old":
        return row
    return row | {
        "compression_active": yes(bool(compressed)),
        "compression_virtual_capacity": shown(sum(v.size for v, _ in compressed), exact=exact),
        "compression_compressed_capacity": shown(written, exact=exact),
        "compression_uncompressed_capacity": shown(written, exact=exact),
        "parent_mdisk_grp_id": str(pool.id),
        "parent_mdisk_grp_name": pool.name,
        "child_mdisk_grp_count": "0",
        "child_mdisk_grp_capacity": shown(0, exact=exact),
        "type": "parent",
        "encrypt": "no",
        "site_id": str(pool.site),
        "site_name": SITES[pool.site],
        "data_reduction": yes(pool.category == "ssa"),
        "category": pool.category,
        "vdisk_protection_enabled": yes(enabled(context, pool)),
        "vdisk_protection_status": "active" if protects(context, pool) else "inactive",
    }


def totals(context: Context) -> dict[str, int]:
    """Return the system's capacities in bytes, by lssystem's keys."""
    state, usage = context.state, context.usage
    pools = state.pools.values()
    pairs = [(v, c) for v in state.vdisks.values() for c in v.copies]
    total = sum(pool.capacity for pool in pools)
    allocated = total - sum(capacity.free(state, pool, usage) for pool in pools)
    return {
        "total_mdisk_capacity": total,
        "space_in_mdisk_grps": total,
        "space_allocated_to_vdisks": allocated,
        "total_free_space": total - allocated,
        "total_vdiskcopy_capacity": sum(v.size for v, _ in pairs),
        "total_used_capacity": sum(capacity.used(v, c, usage) for v, c in pairs),
        "total_vdisk_capacity": sum(v.size for v in state.vdisks.values()),
        "total_allocated_extent_capacity": allocated,
    }
