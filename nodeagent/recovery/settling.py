"""One volume of ours that no call is at work on: taken down if nothing mounts it (architecture.md 6)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nodeagent.expansion import barrier, host_lock
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import adoption, takedown

if TYPE_CHECKING:
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

LOCK_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


def settle(operation: Operation, record: Record, *, told: bool = False) -> None:
    """Look at the volume under its lock; what is mounted stays. Raises what keeps it here.

    `told`: that it is taken down was said before, and only the array's protection is waited for.
    """
    node = operation.node
    deadline = time.monotonic() + LOCK_SECONDS
    with node.locks.held(record.name, f"reconciliation of {record.name}", operation.progress, deadline):
        barrier.refuse(operation)
        if node.records.get(record.uid) is None:
            return
        with operation.helper() as helper:
            if not _unused(operation, helper, record):
                return
            host_lock.share(operation, helper)
            where = takedown.look(operation, adoption.follow(operation, record))
            level = logging.DEBUG if told else logging.WARNING
            _LOG.log(level, "Volume %s is attached, mounted nowhere and wanted by no call: taking it down",
                     record.name)  # fmt: skip
            takedown.take_down(operation, helper, where)


def _unused(operation: Operation, helper: Helper, record: Record) -> bool:
    """Say whether nothing mounts the volume; with attach:false an unbound device mount is nothing."""
    mounts = [mount.target for mount in helper.inspect(record.uid).mounts]
    if mounts == [record.target] and not operation.node.paths.attach:
        helper.unmount(mounts[0])
        reached(Step.AGENT_SETTLE_UNMOUNTED)
        mounts = []
    return not mounts
