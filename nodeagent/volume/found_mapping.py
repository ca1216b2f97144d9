"""A mapping to this machine's host object that was there before this boot had recorded it.

A record is on the disk before this agent maps. So what is mapped without one was mapped by somebody else, or
the state of this machine was lost; with the record of another boot, which may be a copy, it is no other. A
machine with the same InitiatorName shares the host object, and the array refuses neither of both.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.volume import twin
from nodeagent.volume.host_object import initiator

if TYPE_CHECKING:
    from instorage.arrays.model import Mapping
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation

_LOG = logging.getLogger(__name__)


def admit(operation: Operation, array: Array, helper: Helper, mapping: Mapping) -> None:
    """Raise HOST_OBJECT while another machine may be using the mapping; kubelet asks again.

    As many logins as sessions prove nothing where there are any: that is said, and the volume attached.
    """
    host = array.find_host(mapping.host)
    if host is None:
        return  # the mapping went with it, and no device will come up
    sysfs = operation.node.paths.sysfs
    if found := twin.seen(array, host, initiator(helper).port_names, sysfs):
        raise Fault(
            Code.HOST_OBJECT,
            f"Volume {mapping.volume} is mapped to this host on array {array.name}, and no record of this "
            f"boot says by whom: it is not used yet. {found.why} {found.mend}",
            volume=mapping.volume,
            host=mapping.host,
            array=array.name,
        )
    if any(port.kind == "iscsi" and port.logins for port in host.ports):
        _LOG.warning(
            "Volume %s is mapped to this host (%s), and no record of this boot says by whom, or the answer "
            "to that was lost. If another machine has this one's InitiatorName it has the volume, too: the "
            "array cannot tell, for this machine is logged in at as many of its nodes.",
            mapping.volume, mapping.host,
        )  # fmt: skip
