"""The expansion of an active-active volume by this host (safety.md 18): alone, recorded, frozen, thawed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from nodeagent.expansion import barrier, earlier, host_lock
from nodeagent.expansion.guard import HostGuard
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.values import Bytes
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import ExpandFs
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record


@contextlib.contextmanager
def alone(operation: Operation, helper: Helper, array: Array, volume: Volume) -> Iterator[None]:
    """Hold the host lock exclusively over the block, which begins with the record and ends with the growth.

    `Fault(BARRIER)` when an expansion was broken off on this host, VOLUME_NOT_READY when one of this volume
    was and the array does not show it repaired.
    """
    found = barrier.present(operation.configuration)
    if found is not None and not found.running:
        raise barrier.broken_off(found)
    with operation.node.expansions.of(volume.name):
        host_lock.exclude(operation, helper, volume.name)
        earlier.settle(helper, array, volume)
        yield
        helper.unlock()


def expand(operation: Operation, helper: Helper, array: Array, record: Record, request: ExpandFs) -> Bytes:
    """Have the array make all four vdisks at least the wanted size; return the size that they have now."""
    guard = HostGuard(
        helper,
        barrier.Files(operation.configuration),
        record.uid,
        request.target.path,
        array.expansion_plan,
        operation.progress.say,
    )
    operation.progress.say(f"asking array {array.name} for the four vdisks")
    seen = array.expand_active_active(record.name, request.size, host=record.host, guard=guard)
    reached(Step.AGENT_EXPAND_PAIR_GROWN)
    return min(member.size for member in seen.members)
