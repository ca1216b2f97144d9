"""One volume of ours that no call is at work on: taken down if no pod has it (architecture.md 6)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier, host_lock
from nodeagent.operation import targets
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import adoption, takedown

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

LOCK_SECONDS = 1.0
WAITED_FOR = (Code.VOLUME_PROTECTED, Code.HOST_OBJECT)
"""What keeps a volume of which it was said already that it is taken down."""
_LOG = logging.getLogger(__name__)


def settle(operation: Operation, record: Record, given_up: Callable[[], bool], *, told: bool = False) -> bool:
    """Look at the volume under its lock; what is in use stays. Raises what keeps it here.

    Returns whether its device mount stands without a pod, and kubelet may still ask for it (`given_up`: see
    `unclaimed`). `told`: that it is taken down was said before, and something is waited for.
    """
    node = operation.node
    deadline = time.monotonic() + LOCK_SECONDS
    with node.locks.held(record.name, f"reconciliation of {record.name}", operation.progress, deadline):
        barrier.refuse(operation)
        if node.records.get(record.uid) is None:
            return False
        with operation.helper() as helper:
            mounts = [mount.target for mount in helper.inspect(record.uid).mounts]
            if _used(record, mounts):
                return False
            if mounts and node.paths.attach and not given_up():
                return True
            for one in mounts:
                helper.unmount(one)
                reached(Step.AGENT_SETTLE_UNMOUNTED)
            host_lock.share(operation, helper)
            where = takedown.look(operation, adoption.follow(operation, record))
            level = logging.DEBUG if told else logging.WARNING
            _LOG.log(level, "Volume %s is attached, in no pod and wanted by no call: taking it down",
                     record.name)  # fmt: skip
            takedown.take_down(operation, helper, where)
    return False


def _used(record: Record, mounts: list[str]) -> bool:
    """Say whether a pod has the volume; Fault(DEVICE_BUSY) when only somebody else has it.

    kubelet's own are the device mount and, beside it, pods' directories; what a pod of the vendor's plugin
    has is in such a directory alone.
    """
    others = [one for one in mounts if one != record.target]
    if not others:
        return False
    kubelets = record.target in mounts if record.target else any(map(_of_kubelet, others))
    if not kubelets:
        where = ", ".join(others)
        text = f"Volume {record.name} is still mounted at {where}, and kubelet's device mount is gone."
        raise Fault(Code.DEVICE_BUSY, f"{text} Unmount it there.", uid=record.uid, holder=where)
    return True


def _of_kubelet(path: str) -> bool:
    return targets.is_device_mount(path) or targets.pod_of(path) is not None
