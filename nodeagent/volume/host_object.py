"""This machine's host object on the array, found by its initiator and by name (architecture.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.model import Initiator, Level
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


def nameless() -> Fault:
    """Return the fault of a machine that no array can know."""
    return Fault(
        Code.TOOL_MISSING,
        "This node has no iSCSI initiator name: install open-iscsi and start it once "
        "(/etc/iscsi/initiatorname.iscsi).",
    )


def own_host(operation: Operation, array: Array, helper: Helper, volume: Volume) -> Host:
    """Return this machine's host object on the array for that volume, made if it has none."""
    host = operation.host
    own = initiator(helper)
    link = host.link.value
    if link == "iscsi" and own.iqn is None:
        raise nameless()
    if link != "iscsi":
        raise Fault(Code.NOT_SUPPORTED, f"host.link {link} is not in this version; use iscsi.", link=link)
    operation.progress.say(f"asking array {array.name} for the host object")
    found = array.ensure_host(
        own,
        link=link,
        names=identity.host_names(host),
        assigned=identity.assigned(host),
        site=identity.site(host),
        volume=volume.name if volume.level is Level.ACTIVE_ACTIVE else None,
    )
    reached(Step.AGENT_ATTACH_HOST)
    return found
