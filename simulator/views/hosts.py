"""Queries about hosts and host mappings: lshost, lsvdiskhostmap, lshostvdiskmap, lsiscsiauth.

Logins are the data plane's truth: a port's count is the number of nodes it has a session with.
"""

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.language.tables import QUERY, Detail, Row, Table
from simulator.model.context import Context
from simulator.model.state import Host, HostMap, Port, find
from simulator.model.topology import IO_GROUPS, SITES

LSHOST = syntax(QUERY + "gui")
LSVDISKHOSTMAP = syntax(QUERY, needs_object=True)
LSHOSTVDISKMAP = syntax(QUERY)
LSISCSIAUTH = syntax(QUERY)

PORT_KEYS = {"iscsi": "iscsi_name", "fc": "WWPN", "sas": "SAS_WWPN", "nvme": "nqn"}


def lshost(context: Context, arguments: Arguments) -> Table | Detail:
    """Answer for all hosts, or one host with a group of keys for each of its ports."""
    if arguments.object is None:
        hosts = sorted(context.state.hosts.items())
        rows = [_row(context, host) for _, host in hosts]
        return Table(tuple(_row(context, Host(0, "", ()))), rows)
    host = find(context.state.hosts, arguments.object)
    if host is None:
        raise ArrayError("CMMVC5754E")
    row = _row(context, host)
    head = {"id": row.pop("id"), "name": row.pop("name"), "port_count": row.pop("port_count")}
    pairs = list((head | {"type": host.type, "mask": "1" * 64} | row).items())
    for port in host.ports:
        if port.kind == "sas" and not context.dialect.sas_names:
            continue
        pairs += [
            (PORT_KEYS[port.kind], port.name),
            ("node_logged_in_count", str(len(_logins(context, port)))),
            ("state", _port_state(context, host, port)),
        ]
    return Detail([pairs])


def _row(context: Context, host: Host) -> Row:
    row = {
        "id": str(host.id),
        "name": host.name,
        "port_count": str(len(host.ports)),
        "iogrp_count": "4",
        "status": _status(context, host),
    }
    if context.dialect.columns == "old":
        return row
    cluster = {"host_cluster_id": "", "host_cluster_name": "", "protocol": "scsi"}
    row |= {"site_id": str(host.site or ""), "site_name": SITES.get(host.site, "")} | cluster
    if context.dialect.portsets:
        row |= {"portset_id": str(host.portset), "portset_name": f"portset{host.portset}"}
    return row


def _logins(context: Context, port: Port) -> list[int]:
    return sorted(set(context.sessions.get(port.name, [])))


def _status(context: Context, host: Host) -> str:
    """Online when every port is logged in to every node that it can reach, offline when none is."""
    iscsi_nodes = len(context.topology.iscsi_nodes())
    counts = [(len(_logins(context, p)), iscsi_nodes if p.kind == "iscsi" else 1) for p in host.ports]
    if not any(count for count, _ in counts):
        return "offline"
    return "online" if all(count >= wanted for count, wanted in counts) else "degraded"


def _port_state(context: Context, host: Host, port: Port) -> str:
    if not _logins(context, port):
        return "offline"
    return "active" if context.state.maps_of_host(host) else "inactive"


def lsvdiskhostmap(context: Context, arguments: Arguments) -> Table:
    """Answer one row for each host and each I/O group through which the volume is accessible."""
    vdisk = find(context.state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5754E")
    rows = [
        {"id": str(vdisk.id), "name": vdisk.name, "SCSI_id": str(m.lun)}
        | {"host_id": str(m.host), "host_name": context.state.hosts[m.host].name, "vdisk_UID": vdisk.uid}
        | _group(context, group)
        for m in context.state.maps_of_vdisk(vdisk)
        for group in vdisk.access
    ]
    names = ("id", "name", "SCSI_id", "host_id", "host_name", "vdisk_UID")
    return _mapping_table(context, names, rows)


def lshostvdiskmap(context: Context, arguments: Arguments) -> Table:
    """Answer one row for each volume mapped to a host (or to any) and each I/O group of it."""
    maps = list(context.state.hostmaps)
    if arguments.object is not None:
        host = find(context.state.hosts, arguments.object)
        if host is None:
            raise ArrayError("CMMVC5754E")
        maps = context.state.maps_of_host(host)
    rows = [row for m in maps for row in _host_rows(context, m)]
    names = ("id", "name", "SCSI_id", "vdisk_id", "vdisk_name", "vdisk_UID")
    return _mapping_table(context, names, rows)


def _host_rows(context: Context, mapping: HostMap) -> list[Row]:
    host, vdisk = context.state.hosts[mapping.host], context.state.vdisks[mapping.vdisk]
    head = {"id": str(host.id), "name": host.name, "SCSI_id": str(mapping.lun)}
    volume = {"vdisk_id": str(vdisk.id), "vdisk_name": vdisk.name, "vdisk_UID": vdisk.uid}
    return [head | volume | _group(context, group) for group in vdisk.access]


def _group(context: Context, group: int) -> Row:
    row = {"IO_group_id": str(group), "IO_group_name": IO_GROUPS[group]}
    if context.dialect.columns == "old":
        return row
    return row | {
        "mapping_type": "private",
        "host_cluster_id": "",
        "host_cluster_name": "",
        "protocol": "scsi",
    }


def _mapping_table(context: Context, names: tuple[str, ...], rows: list[Row]) -> Table:
    columns = names + tuple(_group(context, 0))
    if not context.dialect.hostmap_quirk:
        return Table(columns, rows)
    if "host_cluster_name" not in columns:
        columns = (*columns, "host_cluster_name")
    return Table(columns, rows, frozenset({"host_cluster_name"}))


def lsiscsiauth(context: Context, arguments: Arguments) -> Table:
    """Answer which hosts have a CHAP secret; it is readable in clear."""
    del arguments
    columns = ("type", "id", "name", "iscsi_auth_method", "iscsi_chap_secret")
    rows = [("cluster", "", "", "none", "")]
    rows += [
        ("host", str(h.id), h.name, "chap" if h.chap else "none", h.chap)
        for h in context.state.hosts.values()
    ]
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in rows])
