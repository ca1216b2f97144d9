"""The host lock as the agent takes it: what it waits for is said, and a barrier is looked at once it is held.

The order matters. An expansion keeps its barrier file while it holds the lock exclusively: before the lock is
held the file may be one of an expansion under way, afterwards it is one that was broken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.host_lock import LockMode
from nodeagent.expansion import barrier

if TYPE_CHECKING:
    from instorage.volume_name import VolumeName
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation


def look(operation: Operation, helper: Helper) -> None:
    """Refuse at once if an expansion was broken off here; wait for one that is under way.

    To be called before anything is changed. Costs nothing while there is no barrier and no expansion.
    """
    found = barrier.present(operation.configuration)
    if found is not None and not found.running:
        raise barrier.broken_off(found)
    if found is not None or operation.node.expansions.volume is not None:
        share(operation, helper)


def share(operation: Operation, helper: Helper) -> None:
    """Take the lock that mappings and unmappings share; `Fault(BARRIER)` while a barrier is there."""
    _take(operation, helper, LockMode.SHARED)


def exclude(operation: Operation, helper: Helper, own: VolumeName) -> None:
    """Take the lock for the expansion of `own` alone; `Fault(BARRIER)` while a barrier is there."""
    _take(operation, helper, LockMode.EXCLUSIVE, own)


def _take(operation: Operation, helper: Helper, mode: LockMode, own: VolumeName | None = None) -> None:
    what = _under_way(operation, own)
    operation.progress.say(f"waiting for the host lock{': ' if what else ''}{what}")
    try:
        helper.lock(operation.left, mode)
    except Fault as fault:
        if fault.code is not Code.LOCK_TIMEOUT or not (what := what or _under_way(operation, own)):
            raise
        raise Fault(fault.code, f"{what[0].upper()}{what[1:]}: {fault.sentence}", **fault.fields) from None
    if (found := barrier.present(operation.configuration)) is not None:
        raise barrier.broken_off(found)


def _under_way(operation: Operation, own: VolumeName | None) -> str:
    """Return what is waited for, as far as it is known: this agent's expansion, or another process's."""
    volume = operation.node.expansions.volume
    if volume in (None, own):
        volume = None
        found = barrier.present(operation.configuration)
        volume = found.record.volume if found is not None and found.running and found.record else None
    return f"an active-active expansion of volume {volume} is under way on this host" if volume else ""
