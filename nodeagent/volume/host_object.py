"""This machine's host object on the array, found by its initiator and by name (architecture.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.model import Initiator
from instorage.wire.fault import Code, Fault
from nodeagent.host import identity
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from instorage.arrays.model import Host
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation


def own_host(operation: Operation, array: Array, helper: Helper) -> Host:
    """Return this machine's host object on the array, made if it has none."""
    host = operation.host
    names = helper.initiator()
    initiator = Initiator(names.iqn, names.wwpns)
    link = host.link.value
    if link == "iscsi" and names.iqn is None:
        raise Fault(
            Code.TOOL_MISSING,
            "This node has no iSCSI initiator name: install open-iscsi and start it once "
            "(/etc/iscsi/initiatorname.iscsi).",
        )
    if link != "iscsi":
        raise Fault(Code.NOT_SUPPORTED, f"host.link {link} is not in this version; use iscsi.", link=link)
    operation.progress.say(f"asking array {array.name} for the host object")
    found = array.ensure_host(
        initiator, link=link, names=identity.host_names(host), assigned=identity.assigned(host)
    )
    reached(Step.AGENT_ATTACH_HOST)
    return found
