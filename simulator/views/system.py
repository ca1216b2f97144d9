"""Queries about the system: lssystem, lsnode, lsiogrp, lssite, licences."""

import math

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Detail, Row, Table, yes
from simulator.model import availability, protection
from simulator.model.capacity import shown
from simulator.model.context import Context
from simulator.model.fibre_channel import fc_ports
from simulator.model.topology import IO_GROUPS, SITES, Node
from simulator.views.pools import totals

LIST = syntax(QUERY)
LSSYSTEM = syntax(QUERY + "bytes", takes_object=False)
CODE_LEVEL = "3.1.1.0 (build 87.0.1311291000)"


def lssystem(context: Context, arguments: Arguments) -> Detail:
    """Answer the system's attributes; always a detail view."""
    exact = arguments.has("bytes")
    sizes = totals(context)
    values = {key: shown(size, exact=exact) for key, size in sizes.items()}
    over = sizes["total_vdisk_capacity"] * 100 // sizes["total_mdisk_capacity"]
    name = context.topology.name
    pairs = {"id": context.topology.system_id, "name": name, "location": "local", "partnership": ""}
    pairs |= values | {"total_overallocation": str(over)}
    pairs |= {"statistics_status": "on", "statistics_frequency": "15", "cluster_locale": "en_US"}
    pairs |= {"time_zone": "522 UTC", "code_level": CODE_LEVEL, "console_IP": "127.0.0.1:443"}
    pairs |= {"id_alias": context.topology.system_id, "iscsi_auth_method": "none", "iscsi_chap_secret": ""}
    tier = [
        ("tier", "tier_hdd"),
        ("tier_capacity", values["total_mdisk_capacity"]),
        ("tier_free_capacity", values["total_free_space"]),
    ]
    rest = {"has_nas_key": "no", "layer": "storage", "compression_active": "no", "topology": "inmetro"}
    rest |= {"topology_status": "dual_site", **_protection(context)}
    rest |= {"product_name": "Inspur AS18000"}
    return Detail([[*pairs.items(), *tier, *rest.items()]])


def _protection(context: Context) -> Row:
    """Whole minutes, as the array has them; a test may have less."""
    time = protection.minutes(context)
    shown_minutes = str(math.ceil(time) or context.state.protection or protection.USUAL)
    return {"vdisk_protection_time": shown_minutes, "vdisk_protection_enabled": yes(time > 0)}


def lsnode(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all nodes, or one node with its FC ports."""
    if arguments.object is None:
        rows = [_node(context, node) for node in context.topology.nodes]
        return Table(tuple(rows[0]), rows)
    for node in context.topology.nodes:
        if arguments.object in (str(node.id), node.name):
            shown: list[tuple[str, str]] = []
            for port in fc_ports(node, context.dialect):
                shown += [("port_id", port.wwpn), ("port_status", "active" if port.linked else "inactive")]
                shown += [("port_speed", port.speed)]
            return Detail([[*_node(context, node).items(), *shown]])
    raise ArrayError("CMMVC5754E")


def _node(context: Context, node: Node) -> Row:
    row = {
        "id": str(node.id),
        "name": node.name,
        "UPS_serial_number": "",
        "WWNN": node.wwnn,
        "status": availability.node_status(context.state, node),
        "IO_group_id": str(node.iogrp),
        "IO_group_name": IO_GROUPS[node.iogrp],
        "config_node": yes(node.id == _config_node(context)),
        "UPS_unique_id": "",
        "hardware": "100",
        "iscsi_name": node.iqn,
        "iscsi_alias": "",
        "panel_name": f"0{node.iogrp + 1}-{(node.id - 1) % 2 + 1}",
        "enclosure_id": str(node.iogrp + 1),
        "canister_id": str((node.id - 1) % 2 + 1),
        "enclosure_serial_number": f"0123ABC{node.iogrp}",
    }
    if context.dialect.columns == "old":
        return row
    return row | {"site_id": str(node.site), "site_name": SITES[node.site]}


def _config_node(context: Context) -> int:
    """Return the node that answers for the system: the first one that is online."""
    up = (n for n in context.topology.nodes if availability.node_status(context.state, n) == "online")
    return next((node.id for node in up), 0)


def lsiogrp(context: Context, arguments: Arguments) -> Table:
    """Answer for all I/O groups, those without nodes included."""
    del arguments
    topology, state = context.topology, context.state
    rows = []
    for number, name in IO_GROUPS.items():
        row = {"id": str(number), "name": name, "node_count": str(len(topology.nodes_of(number)))}
        row["vdisk_count"] = str(sum(v.iogrp == number for v in state.vdisks.values()))
        row["host_count"] = str(len(state.hosts) if number < 4 else 0)
        if context.dialect.columns != "old":
            site = topology.site_of_iogrp(number)
            row |= {"site_id": str(site or ""), "site_name": SITES.get(site, "")}
        rows.append(row)
    return Table(tuple(rows[0]), rows)


def lssite(context: Context, arguments: Arguments) -> Table:
    """Answer the three sites."""
    del context, arguments
    return Table(("id", "name"), [{"id": str(number), "name": name} for number, name in SITES.items()])


def lslicense(context: Context, arguments: Arguments) -> Detail:
    """Answer that compression is licensed."""
    del context, arguments
    pairs = [("used_compression_capacity", "0.00"), ("license_compression_capacity", "100")]
    return Detail([[*pairs, ("license_compression_enclosures", "1")]])


def lsguicapabilities(context: Context, arguments: Arguments) -> Detail:
    """Answer the product key and capability bits (none of the online extend bits)."""
    del context, arguments
    pairs = [("license_scheme", "flex"), ("product_key", "1813"), ("compression", "yes")]
    return Detail([[*pairs, ("deduplication", "no"), ("license_type_localcopy", "0")]])


def lspartnership(context: Context, arguments: Arguments) -> Table:
    """Answer the local system only: there is no partner."""
    del arguments
    columns = ("id", "name", "location", "partnership", "type", "cluster_ip", "event_log_sequence")
    row = (context.topology.system_id, context.topology.name, "local", "", "", "", "")
    return Table(columns, [dict(zip(columns, row, strict=True))])
