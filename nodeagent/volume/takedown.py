"""Take a volume of ours down in the only safe order: devices gone, then unmapped (safety.md, Detach)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.verbs import DetachRequest
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import owner, recorded
from nodeagent.volume.proof import Proof

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

WAIT_MS = 30_000
UNMAP_SECONDS = 70.0
FRESH_SECONDS = 5.0  # an older answer is asked for again: a name may be given to another volume
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Whereabouts:
    """Where a volume of ours is mapped: `volume` as `array` had it at `at` (monotonic s), None: not there."""

    record: Record
    array: Array
    volume: Volume | None
    at: float


def say_lost(operation: Operation, name: str, *, lost: bool) -> None:
    """Say, in the journal and in the answer, that the array did not take what was written to a volume."""
    text = f"Writes of volume {name} were lost: the array took them no more. Check what used the volume."
    if lost and text not in operation.progress.remarks:  # unmount and flush may meet the same
        _LOG.error(text, extra={"code": "writes-lost"})
        operation.progress.remarks.append(text)


def look(operation: Operation, record: Record) -> Whereabouts:
    """Find out where the volume is mapped: before this no path of it may go. Raises what an array raises.

    The name in the record may mean another array by now: «not there» counts when all the others say it too.
    """
    array = operation.array(record.storage)
    found = _find(operation, array, record)
    if found is None and (other := owner.find(operation, record.uid, besides=array.name)):
        record, array, found = owner.followed(operation, record, other), other.array, other.volume
    return Whereabouts(record, array, found, time.monotonic())


def take_down(operation: Operation, helper: Helper, where: Whereabouts) -> None:
    """Remove map and paths, unmap on the array, drop the record. Refused by the helper while in use.

    The helper's host lock must be held.
    """
    record = where.record
    operation.progress.say("removing the device")
    reply = helper.detach(DetachRequest(operation.op, record.uid, WAIT_MS))
    reached(Step.AGENT_DETACH_REMOVED)
    say_lost(operation, record.name, lost=reply.lost)
    level = logging.INFO if reply.removed else logging.DEBUG
    _LOG.log(level, "Removed %s", ", ".join(reply.removed) or "nothing, no device was there")
    fresh = where.volume if time.monotonic() - where.at < FRESH_SECONDS else None
    proven = bool(reply.removed) and record.boot_id == operation.node.boot_id
    unmap(operation, where.array, helper, record, fresh, proven=proven)


def unmap(
    operation: Operation,
    array: Array,
    helper: Helper,
    record: Record,
    known: Volume | None = None,
    *,
    proven: bool,
) -> None:
    """Unmap a volume whose devices are gone, and drop its record. The helper's host lock must be held.

    `known`: as the array had it just now, else it is asked. `proven`: this boot mapped it, or had it in the
    kernel; else it must be shown first that the mapping is this machine's: HOST_OBJECT, and the record stays.
    """
    found = known or _find(operation, array, record)
    operation.progress.say(f"unmapping the volume on array {array.name}")
    if found is None:
        _LOG.warning("Array %s no longer has volume %s (%s)", array.name, record.name, record.uid)
    else:
        helper.assure_lock(UNMAP_SECONDS)
        proof = None if proven else Proof(operation, array, helper, record)
        if not recorded.unmap(array, helper, record, found.name, proof):
            again = array.find_volume_by_uid(record.uid)  # it may have been renamed since it was looked up
            if again is not None and again.name != found.name:
                recorded.unmap(array, helper, record, again.name, proof)
        reached(Step.AGENT_DETACH_UNMAPPED)
    operation.node.records.remove(record.uid)
    operation.node.expected.forget(record.uid)
    reached(Step.AGENT_DETACH_FORGOTTEN)


def _find(operation: Operation, array: Array, record: Record) -> Volume | None:
    """Return the recorded volume: the name may have been given to another one since."""
    operation.progress.say(f"asking array {array.name} for the volume")
    found = array.find_volume(record.name)
    return found if found is not None and found.uid == record.uid else array.find_volume_by_uid(record.uid)
