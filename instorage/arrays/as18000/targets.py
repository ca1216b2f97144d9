"""iSCSI portals and the target behind each: lsportip and lsnode (array-as18000.md 4.3, 4.11)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.model import IscsiTarget
from instorage.operation import overlap
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Portal

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

PORT = 3260
# addresses inside of the array, between its NAS parts: no host reaches them
_INTERNAL = frozenset(f"172.16.2.{last}" for last in (32, 33, 42, 43, 52, 53))
log = logging.getLogger("instorage.arrays")


def read(cli: Cli) -> tuple[IscsiTarget, ...]:
    """Return the usable portals of online nodes; the two queries overlap."""
    ports, nodes = overlap([lambda: cli.sure_rows("lsportip"), lambda: cli.sure_rows("lsnode")])
    online = {node["id"]: node for node in nodes if node["status"] == "online"}
    found = []
    for row in ports:
        node = online.get(row["node_id"])
        target = _target(row, node) if node is not None and _usable(row) else None
        if target is not None and target not in found:
            found.append(target)
    return tuple(found)


def _usable(row: Row) -> bool:
    # a row «failover yes» is an address taken over from the partner: another node's target name is behind it
    if row["failover"] == "yes" or not address(row):
        return False
    state = row["state"]
    return state == "online" or (state == "configured" and row.get("link_state", "active") == "active")


def address(row: Row) -> str:
    """Return the address of a port that hosts may reach, empty when it has none."""
    found = row["IP_address"] or row.get("IP_address_6")
    return "" if found in _INTERNAL else found


def portal(row: Row) -> Portal:
    """Return the portal of a port that has an address."""
    found = address(row)
    return Portal.parse(f"[{found}]:{PORT}" if ":" in found else f"{found}:{PORT}")


def _target(row: Row, node: Row) -> IscsiTarget | None:
    try:
        return IscsiTarget(portal(row), Iqn.parse(node["iscsi_name"]), node["IO_group_id"])
    except Fault as fault:
        log.warning("array %s: a portal is left out: %s", row.source.array, fault, extra=operation.extra())
        return None
