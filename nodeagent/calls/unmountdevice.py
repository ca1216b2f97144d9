"""unmountdevice: unmount the global directory, remove the device, unmap on the array."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.expansion import host_lock
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import adoption, takedown

if TYPE_CHECKING:
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record
    from nodeagent.operation.targets import DeviceTarget

_LOG = logging.getLogger(__name__)


def unmount_device(operation: Operation, target: DeviceTarget) -> None:
    """Take the volume of `target` down; success when nothing of it is left here.

    The volume is known by its mount; when that is gone already, by its ownership record.
    """
    with operation.helper() as helper:
        host_lock.share(operation, helper)  # before the unmount: what is refused has changed nothing
        operation.progress.say("unmounting")
        reply = helper.unmount(target.path)
        reached(Step.AGENT_DETACH_UNMOUNTED)
        takedown.say_lost(operation, target.name, lost=reply.lost)
        for record in _ours(operation, target, reply.uid):
            takedown.take_down(operation, helper, record)


def _ours(operation: Operation, target: DeviceTarget, mounted: VolumeUid | None) -> tuple[Record, ...]:
    if mounted is None:
        named = operation.node.records.by_name(target.name)
        return tuple(record for record in named if record.target in (None, target.path))
    record = operation.node.records.get(mounted)
    if record is None:
        record = adoption.adopt(operation, mounted, target)
    if record is None:
        raise Fault(
            Code.NOT_OURS,
            f"{target.path} held volume UID {mounted}, which no configured array knows under the name "
            f"{target.name}: it was unmounted and is left mapped.",
            uid=mounted,
            target=target.path,
        )
    return (record,)
