"""What of the array works: nodes, pools, copies and vdisks while a node or a whole site is lost.

Pure functions. A site that is lost takes its nodes, its pools and all that lies in them; an active-active
volume lives on at the other site, which becomes the primary (IBM's HyperSwap overview: «the relationships
switch direction according to which copies are online and up to date»). Inferred: the words of its state then.
"""

from dataclasses import replace
from math import inf

from simulator.model import replication
from simulator.model.state import Copy, Pool, Relationship, State, Vdisk
from simulator.model.topology import Node, Topology

NODE_STATES = ("online", "offline", "service", "flushing", "pending", "adding", "deleting")
STOPPED_WITH_SITE = {"inconsistent_copying": "inconsistent_disconnected",
                     "consistent_copying": "consistent_disconnected"}  # fmt: skip


def node_status(state: State, node: Node) -> str:
    """Return the status of a node as lsnode shows it."""
    return "offline" if node.site in state.down else state.nodes.get(node.id, "online")


def pool_status(state: State, pool: Pool) -> str:
    """Return the status of a pool: its disks stand at its site."""
    return "offline" if pool.site in state.down else "online"


def copy_status(state: State, copy: Copy) -> str:
    """Return the status of a copy."""
    return "offline" if state.pools[copy.pool].site in state.down else copy.status


def vdisk_status(state: State, topology: Topology, vdisk: Vdisk) -> str:
    """Return the status of a vdisk; offline as well where the array serves no host an older copy."""
    nodes = {node_status(state, node) for node in topology.nodes_of(vdisk.iogrp)}
    copies = {copy_status(state, copy) for copy in vdisk.copies}
    if (nodes and "online" not in nodes) or (copies and "online" not in copies) or _stale(state, vdisk):
        return "offline"
    whole = nodes | copies <= {"online"}
    return vdisk.status if whole or vdisk.status != "online" else "degraded"


def site_lost(state: State, topology: Topology, site: int, now: float) -> State:
    """Return the state without a site: each relationship stops there, and runs from the site that is left."""
    for relationship in state.relationships.values():
        if relationship.state in (replication.SYNCHRONIZED, *replication.COPYING):
            state = state.with_relationship(_parted(state, topology, relationship, site, now))
    return replace(state, down=state.down | {site})


def site_back(state: State, topology: Topology, site: int, now: float, seconds: float) -> State:
    """Return the state with a site again: what it missed is copied to it for so many seconds."""
    state = replace(state, down=state.down - {site})
    resumed = {stopped: kind for kind, stopped in STOPPED_WITH_SITE.items()}
    for relationship in state.relationships.values():
        lost = {topology.site_of_iogrp(state.vdisks[end].iogrp) for end in relationship.members} & state.down
        kind = resumed.get(relationship.state, relationship.state)
        waits = relationship.until == inf or kind != relationship.state
        if not lost and waits and kind in replication.COPYING:
            state = state.with_relationship(replication.copying(relationship, kind, now, seconds))
    return state


def relationship_status(state: State, topology: Topology, relationship: Relationship) -> str:
    """Return the column `status` of lsrcrelationship."""
    for side, vdisk in zip(("primary", "secondary"), replication.sides(state, relationship), strict=True):
        if topology.site_of_iogrp(vdisk.iogrp) in state.down:
            return f"{side}_offline"
    return "online"


def _parted(
    state: State, topology: Topology, relationship: Relationship, site: int, now: float
) -> Relationship:
    sites = {
        "master": topology.site_of_iogrp(state.vdisks[relationship.master].iogrp),
        "aux": topology.site_of_iogrp(state.vdisks[relationship.aux].iogrp),
    }
    if site not in sites.values():
        return relationship
    if relationship.state == replication.SYNCHRONIZED:
        left = next((end for end in sites if sites[end] != site), relationship.primary)
        made = replace(relationship, primary=left)
        return replication.copying(made, "consistent_copying", now, inf)
    if sites[relationship.primary] == site:
        return replace(relationship, state=STOPPED_WITH_SITE[relationship.state], until=inf)
    return replace(relationship, until=inf)


def _stale(state: State, vdisk: Vdisk) -> bool:
    relationship = state.relationship_of(vdisk)
    return relationship is not None and relationship.state in STOPPED_WITH_SITE.values()
