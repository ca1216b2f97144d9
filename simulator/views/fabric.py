"""Queries about Fibre Channel: lsportfc, lstargetportfc, lsfabric."""

from simulator.dataplane.plane import is_wwpn
from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Row, Table, columns_of, yes
from simulator.model.context import Context
from simulator.model.fibre_channel import FcPort, fc_ports, host_wwpn
from simulator.model.state import find
from simulator.model.topology import Node

LSFABRIC = syntax(QUERY + "wwpn= host= node= gui", takes_object=False)
PORTS = columns_of(
    "id fc_io_port_id port_id type port_speed node_id node_name WWPN nportid status attachment"
)
TARGETS = columns_of(
    "id WWPN WWNN port_id owning_node_id current_node_id nportid host_io_permitted virtualized fc_io_port_id"
    " protocol"
)
FABRIC = columns_of(
    "remote_wwpn remote_nportid id node_name local_wwpn local_port local_nportid state name cluster_name type"
)


def lsportfc(context: Context, arguments: Arguments) -> Table:
    """Answer the physical ports of each node."""
    del arguments
    rows: list[Row] = []
    for node, port in _ports(context):
        state = ("active", "switch") if port.linked else ("inactive_unconfigured", "none")
        fields = (str(len(rows)), str(port.number), str(port.number), "fc", port.speed, str(node.id),
                  node.name, port.wwpn, port.address(node), *state)  # fmt: skip
        rows.append(dict(zip(PORTS, fields, strict=True)))
    return Table(PORTS, rows)


def lstargetportfc(context: Context, arguments: Arguments) -> Table:
    """Answer the physical ports, and with NPIV the virtual ones, to which alone hosts may then log in."""
    del arguments
    rows: list[Row] = []
    npiv = context.dialect.npiv
    for node, port in _ports(context):
        for virtual in (False, True) if npiv else (False,):
            current = str(node.id) if port.linked else ""
            fields = (str(len(rows) + 1), port.virtual if virtual else port.wwpn, node.wwnn, str(port.number),
                      str(node.id), current, port.address(node, virtual=virtual), yes(virtual or not npiv),
                      yes(virtual), str(port.number), "scsi")  # fmt: skip
            rows.append(dict(zip(TARGETS, fields, strict=True)))
    return Table(TARGETS, rows)


def lsfabric(context: Context, arguments: Arguments) -> Table:
    """Answer one row for each login of an FC initiator; logins without a host object have an empty name."""
    rows = _logins(context)
    wanted, host = arguments.get("wwpn"), arguments.get("host")
    if wanted is None and host is None and arguments.get("node") is None:
        return Table(FABRIC, rows)
    arguments.exclude("wwpn", "host", "node")
    if host is not None:
        found = find(context.state.hosts, host)
        if found is None:
            raise ArrayError("CMMVC5754E")
        return Table(FABRIC, [row for row in rows if row["name"] == found.name])
    if wanted is not None:
        return Table(FABRIC, [row for row in rows if row["remote_wwpn"] == wanted.upper()])
    return Table(FABRIC, [row for row in rows if arguments.get("node") in (row["id"], row["node_name"])])


def _logins(context: Context) -> list[Row]:
    """Return the logins: the data plane's, and those over the cabled ports of nodes that a test has named."""
    owners = {port.name: host for host in context.state.hosts.values() for port in host.ports}
    npiv = context.dialect.npiv
    rows: list[Row] = []
    for wwpn, nodes in sorted(context.sessions.items()):
        if not is_wwpn(wwpn):
            continue
        for node, port in _ports(context):
            local = host_wwpn(port, npiv=npiv)
            if node.id in nodes and port.linked and local in context.fabric.get(wwpn, [local]):
                owner = owners.get(wwpn)
                fields = (wwpn, f"0100{node.id:02X}", str(node.id), node.name, local,
                          str(port.number), port.address(node, virtual=npiv), "active",
                          owner.name if owner else "", "", "host")  # fmt: skip
                rows.append(dict(zip(FABRIC, fields, strict=True)))
    return rows


def _ports(context: Context) -> list[tuple[Node, FcPort]]:
    return [(node, port) for node in context.topology.nodes for port in fc_ports(node, context.dialect)]
