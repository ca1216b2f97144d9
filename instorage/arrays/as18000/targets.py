"""iSCSI portals and the target behind each: addresses of ports, and lsnode (array-as18000.md 4.3, 4.11)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.ip_ports import IpPorts
from instorage.arrays.as18000.remembered_targets import RememberedTargets
from instorage.arrays.model import IscsiTarget
from instorage.operation import overlap
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Portal

if TYPE_CHECKING:
    from collections.abc import Collection

    from instorage.arrays.as18000.ip_ports import IpPort
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

PORT = 3260
REMEMBERED = 300.0  # seconds
LACKING = 10.0  # seconds: not at each attach is it asked whether a group has a portal by now
log = logging.getLogger("instorage.arrays")


class Targets:
    """The portals of an array, remembered for minutes; for several threads."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._found: RememberedTargets[IscsiTarget] = RememberedTargets(REMEMBERED, LACKING)
        self.ip_ports = IpPorts()

    def get(self, io_groups: Collection[str], *, fresh: bool = False) -> tuple[IscsiTarget, ...]:
        """See `Array.iscsi_targets`; an empty answer is not remembered."""
        if fresh:
            self.forget()
            return read(self._cli, self.ip_ports)
        return self._found.get("", io_groups, lambda: read(self._cli, self.ip_ports))

    def forget(self) -> None:
        """Ask anew at the next call."""
        self._found.forget()


def read(cli: Cli, ip_ports: IpPorts) -> tuple[IscsiTarget, ...]:
    """Return the usable portals of online nodes, of every kind of address; the two queries overlap."""
    ports, nodes = ports_and_nodes(cli, ip_ports)
    online = {node["id"]: node for node in nodes if node["status"] == "online"}
    found: list[IscsiTarget] = []
    for port in ports:
        node = online.get(port.node)
        target = _target(port, node) if node is not None and port.up else None
        if target is not None and target not in found:
            found.append(target)
    return tuple(found)


def ports_and_nodes(cli: Cli, ip_ports: IpPorts) -> tuple[tuple[IpPort, ...], tuple[Row, ...]]:
    """Ask for both at the same time."""
    ports: list[tuple[IpPort, ...]] = []
    nodes: list[tuple[Row, ...]] = []
    overlap([lambda: ports.append(ip_ports.read(cli)), lambda: nodes.append(cli.sure_rows("lsnode"))])
    return ports[0], nodes[0]


def portal(port: IpPort) -> Portal:
    """Return the portal of an address."""
    return Portal.parse(f"[{port.address}]:{PORT}" if ":" in port.address else f"{port.address}:{PORT}")


def _target(port: IpPort, node: Row) -> IscsiTarget | None:
    try:
        return IscsiTarget(portal(port), Iqn.parse(node["iscsi_name"]), node["IO_group_id"], port.portset)
    except Fault as fault:
        log.warning("array %s: a portal is left out: %s", node.source.array, fault, extra=operation.extra())
        return None
