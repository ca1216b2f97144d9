"""Over Fibre Channel an array often has a host object of this machine already, made with the zoning.

The line for `host.objects` is told, by which other hosts know it, too. Nothing is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instorage.arrays.model import Initiator
from instorage.configuration.settings import Link
from instorage.wire.values import Wwpn
from nodeagent.host import fc_ports, identity

if TYPE_CHECKING:
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import HostSettings

SYSFS = Path("/sys")


def remark(array: Array, host: HostSettings) -> str:
    """Say in which host object this machine's ports are, when neither name rule nor configuration does.

    Empty over iSCSI, and when they do.
    """
    if host.link is not Link.FC:
        return ""
    own = Initiator(wwpns=tuple(adapter.name for adapter in fc_ports.adapters(SYSFS)))
    found = array.holder_of(own.port_names) if own.wwpns else None
    if found is None:
        return (
            f"No host object of array {array.name} was found to have this machine's Fibre Channel ports: the "
            f"first volume makes one ({identity.host_names(host)[0]}), or make it with the zoning."
        )
    if foreign := [name for name in sorted(found.port_names - own.port_names) if _is_wwpn(name)]:
        return (
            f"Host object {found.name} of array {array.name} has ports of this machine and of another "
            f"({', '.join(foreign)}), and is not used: each machine has one of its own (rmhostport)."
        )
    if identity.is_own(host, (found.name,)):
        return ""
    return (
        f"Array {array.name} has this machine's ports in host object {found.name}, and that is used. So that "
        "other hosts, which detach and fence, know it, add to the configuration of all of them: "
        f"host.objects: {{{host.node_name}: {found.name}}}"
    )


def _is_wwpn(name: str) -> bool:
    return Wwpn.pattern.fullmatch(name) is not None
