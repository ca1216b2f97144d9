"""Queries about Ethernet ports and their addresses: lsportip; or lsip, lsportethernet and lsportset.

A firmware with portsets has the last three and no longer lsportip (IBM's documents, from 8.4.2 on); its nodes
have a second address each, for replication, which no host may use.
"""

from simulator.language.arguments import Arguments
from simulator.language.codes import ArrayError
from simulator.language.tables import Row, Table, columns_of
from simulator.model import availability
from simulator.model.context import Context
from simulator.model.topology import PORTSETS, Node

PORTS = (1, 2)
ADDRESSES = columns_of(
    "id node_id node_name port_id portset_id portset_name IP_address prefix vlan gateway owner_id owner_name"
)


def lsportip(context: Context, arguments: Arguments) -> Table:
    """Answer two rows (own and failover) for each of the Ethernet ports of each node that is there."""
    del arguments
    _require(context, portsets=False)
    rows = [
        _portip(context, node, port, failover=failover)
        for node in _nodes(context)
        for port in node.ethernet_ports
        for failover in (False, True)
    ]
    return Table(tuple(_portip(context, context.topology.nodes[0], 1, failover=False)), rows)


def _portip(context: Context, node: Node, port: int, *, failover: bool) -> Row:
    configured = bool(node.address_of(port))
    up = configured and node.id not in context.sensors.closed
    address = node.address_of(port) if not failover else ""
    if failover and configured and context.dialect.failover_address:
        address = next((n.address_of(port) for n in context.topology.nodes_of(node.iogrp) if n != node), "")
    v6 = ":" in address
    address_6 = address if v6 else node.address_6 if address and not failover and port == 1 else ""
    row = {"id": str(port), "node_id": str(node.id), "node_name": node.name}
    row |= {"IP_address": "" if v6 else address, "mask": "255.255.255.0" if address and not v6 else ""}
    row |= {"gateway": "", "IP_address_6": address_6, "prefix_6": "64" if address_6 else ""}
    row |= {"gateway_6": "", "MAC": _mac(node, port), "duplex": "Full"}
    row |= {"state": _port_state(context, configured=configured, up=up), "speed": "10Gb/s"}
    row["failover"] = "yes" if failover else "no"
    if context.dialect.link_state:
        row["link_state"] = "active" if up else "inactive"
    return row


def _port_state(context: Context, *, configured: bool, up: bool) -> str:
    if not configured:
        return "unconfigured"
    if context.dialect.portip_state == "configured":
        return "configured"
    return "online" if up else "offline"


def lsip(context: Context, arguments: Arguments) -> Table:
    """Answer one row for each address."""
    del arguments
    _require(context, portsets=True)
    rows = [row for node in _nodes(context) if node.portal for row in _addresses(node)]
    return Table(ADDRESSES, [row | {"id": str(number)} for number, row in enumerate(rows)])


def _addresses(node: Node) -> list[Row]:
    host, replication = f"portset{node.portset}", "portset1"
    found = [(1, node.portset, host, node.address), (2, 1, replication, f"192.168.77.{node.id}")]
    if node.address_6:
        found.insert(1, (1, node.portset, host, node.address_6))
    head = {"node_id": str(node.id), "node_name": node.name}
    tail = {"vlan": "", "gateway": "", "owner_id": "", "owner_name": ""}
    return [
        head
        | {"port_id": str(port), "portset_id": str(portset), "portset_name": name, "IP_address": address}
        | {"prefix": "64" if ":" in address else "24"}
        | tail
        for port, portset, name, address in found
    ]


def lsportethernet(context: Context, arguments: Arguments) -> Table:
    """Answer one row for each Ethernet port, with the state of its link."""
    del arguments
    _require(context, portsets=True)
    rows = [
        {"node_id": str(node.id), "node_name": node.name, "port_id": str(port)}
        | {"link_state": "active" if _linked(context, node, port) else "inactive", "speed": "10Gb/s"}
        | {"MAC": _mac(node, port), "duplex": "Full"}
        for node in context.topology.nodes
        for port in PORTS
    ]
    return Table(tuple(rows[0]), rows)


def lsportset(context: Context, arguments: Arguments) -> Table:
    """Answer the groups of addresses."""
    del arguments
    _require(context, portsets=True)
    rows = [
        {"id": str(number), "name": f"portset{number}", "type": kind} for number, kind in PORTSETS.items()
    ]
    return Table(("id", "name", "type"), rows)


def _nodes(context: Context) -> list[Node]:
    found = context.topology.nodes
    return [node for node in found if availability.node_status(context.state, node) == "online"]


def _linked(context: Context, node: Node, port: int) -> bool:
    return bool(node.portal) and (port != 1 or node.id not in context.sensors.closed)


def _mac(node: Node, port: int) -> str:
    return f"6c:92:bf:00:{node.id:02x}:{port:02x}"


def _require(context: Context, *, portsets: bool) -> None:
    if context.dialect.portsets is not portsets:
        raise ArrayError("CMMVC7205E")
