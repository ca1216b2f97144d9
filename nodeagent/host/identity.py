"""By what names this node is known: host object on the array, patience of its administrator."""

from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.configuration.settings import HostSettings

NAME_LIMIT = 63  # what the array takes (array-as18000.md 3.5)


def host_name(host: HostSettings, node: str) -> str:
    """Return the host object of `node` by rule: `[<prefix>-]<link>-<node>`, a hash at the end when cut."""
    prefix = f"{host.name_prefix}-" if host.name_prefix else ""
    name = f"{prefix}{host.link.value}-{node}"
    if len(name) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: NAME_LIMIT - 9]}-{digest}"


def host_names(host: HostSettings) -> tuple[str, ...]:
    """Return the acceptable names of this node's host object; a new one gets the first."""
    return tuple(dict.fromkeys((host_name(host, host.node_name), host_name(host, socket.gethostname()))))


def host_objects(host: HostSettings, node: str) -> tuple[str, ...]:
    """Return the host objects that the name rule and `host.objects` give to any node; never a guess."""
    given = host.objects.get(node)
    return (host_name(host, node), *([given] if given else []))


def assigned(host: HostSettings) -> str | None:
    """Return the host object that the configuration gives to this node (`host.objects`)."""
    return host.objects.get(host.node_name) or host.objects.get(socket.gethostname())


def site(host: HostSettings) -> str:
    """Return the site at which the configuration says this node is (`host.site`), empty when it does not."""
    named = (host.node_name, socket.gethostname(), "")
    return next((host.sites[name] for name in named if name in host.sites), "")


def is_own(host: HostSettings, names: tuple[str, ...]) -> bool:
    """Say whether one of these host objects is this node's, as far as names tell."""
    return not {*host_names(host), assigned(host)}.isdisjoint(names)


def patience(host: HostSettings) -> float:
    """Return the longest wait in seconds for path, device and map together; one look is always taken."""
    return host.iscsi_path.total + host.scsi_scan.total + host.multipath_search.total
