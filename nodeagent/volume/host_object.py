"""This machine's host object on the array, found by its initiator and by name (architecture.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.model import Initiator, Level
from instorage.configuration.settings import Link
from instorage.wire.fault import Code, Fault
from nodeagent.host import identity
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from instorage.arrays.model import Host, Volume
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation


def initiator(helper: Helper) -> Initiator:
    """Return the names under which this machine reaches the SAN."""
    names = helper.initiator()
    return Initiator(names.iqn, names.wwpns)


_NAMELESS = {
    Link.ISCSI: "no iSCSI initiator name: install open-iscsi and start it once "
    "(/etc/iscsi/initiatorname.iscsi)",
    Link.FC: "no Fibre Channel port (/sys/class/fc_host): see the adapter and its driver",
}


def nameless(*links: Link) -> Fault:
    """Return the fault of a machine that no array can know over these links."""
    return Fault(Code.TOOL_MISSING, f"This node has {'; '.join(_NAMELESS[link] for link in links)}.")


def own_host(operation: Operation, array: Array, helper: Helper, volume: Volume) -> Host:
    """Return this machine's host object on the array for that volume, made if it has none."""
    host = operation.host
    own = initiator(helper)
    if not (own.wwpns if host.link is Link.FC else own.iqn):
        raise nameless(host.link)
    operation.progress.say(f"asking array {array.name} for the host object")
    found = array.ensure_host(
        own,
        link=host.link.value,
        names=identity.host_names(host),
        assigned=identity.assigned(host),
        site=identity.site(host),
        node=host.node_name,
        volume=volume.name if volume.level is Level.ACTIVE_ACTIVE else None,
    )
    reached(Step.AGENT_ATTACH_HOST)
    return found
