"""What one array says that a node's doctor needs: few commands, however many volumes there are.

Two for the state, one for each host object of this node; the search for a foreign object that has this node's
ports is made only when no object of this node has them. What is mapped to that one is told apart (`held`): it
is this node's object under another name, or another machine's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault
from nodeagent.host import identity

if TYPE_CHECKING:
    from instorage.arrays.model import Host, IscsiTarget, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration


def view(array: Array, configuration: Configuration, ports: frozenset[str]) -> dict[str, Any]:
    """Return targets, protection, this node's host objects and what is mapped to them; or the fault.

    `ports`: this node's, as `Initiator.port_names` has them. `certain`: an object that has one of them was
    asked for its mappings, so that what is not among them is not mapped here.
    """
    began = time.monotonic()
    found: dict[str, Any] = {"hosts": [], "mappings": [], "held": [], "certain": False}
    try:
        targets = array.iscsi_targets()
        found["targets"] = [_target(one) for one in targets]
        protection = array.protection()
        found["protected_minutes"] = protection.minutes if protection else 0
        hosts = [host for name in _names(configuration) if (host := array.find_host(name))]
        found["hosts"] = [_host(host) | {"own": host.port_names <= ports} for host in hosts]
        for host in hosts:
            found["mappings"] += [_mapping(one) for one in array.host_mappings(host.name)]
        found["certain"] = any(ports & host.port_names for host in hosts)
        if ports and not found["certain"]:
            found |= _held(array, ports)
    except Fault as fault:
        found["fault"] = fault.to_wire()
    return found | {"seconds": round(time.monotonic() - began, 3)}


def _held(array: Array, ports: frozenset[str]) -> dict[str, Any]:
    """Return the object that has this node's ports under none of this node's names, and what it is given."""
    holder = array.holder_of(ports)
    if holder is None:
        return {"holder": None}
    held = [_mapping(one) for one in array.host_mappings(holder.name)]
    return {"holder": _host(holder), "held": held, "certain": True}


def volume_view(array: Array, volume: Volume) -> dict[str, Any]:
    """Return what is to be known of one volume; who else it is mapped to takes two commands."""
    return {
        "name": volume.name, "uid": volume.uid, "size": volume.size, "online": volume.online,
        "formatting": volume.formatting, "degraded": volume.degraded, "level": volume.level.value,
        "pools": list(volume.pools), "hosts": [one.host for one in array.mappings(volume.name)],
    }  # fmt: skip


def _names(configuration: Configuration) -> tuple[str, ...]:
    if configuration.host is None:
        return ()
    given = identity.assigned(configuration.host)
    return (given,) if given else identity.host_names(configuration.host)


def _host(host: Host) -> dict[str, Any]:
    ports = [{"name": port.name, "logins": port.logins, "active": port.active} for port in host.ports]
    return {
        "name": host.name, "id": host.id, "portset": host.portset, "ports": ports,
        "logged_in": host.logged_in,
    }  # fmt: skip


def _target(one: IscsiTarget) -> dict[str, Any]:
    return {
        "portal": str(one.portal), "target": str(one.iqn), "io_group": one.io_group, "portset": one.portset,
    }  # fmt: skip


def _mapping(one: Mapping) -> dict[str, Any]:
    luns = {group: int(lun) for group, lun in one.luns}
    return {"volume": one.volume, "uid": one.uid, "host": one.host, "luns": luns}
