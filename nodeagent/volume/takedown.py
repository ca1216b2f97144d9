"""Take a volume of ours down in the only safe order: devices gone, then unmapped (safety.md, Detach)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import DetachRequest
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

WAIT_MS = 30_000
UNMAP_SECONDS = 70.0
_LOG = logging.getLogger(__name__)


def say_lost(operation: Operation, name: str, *, lost: bool) -> None:
    """Say, in the journal and in the answer, that the array did not take what was written to a volume."""
    if lost:
        text = f"Writes of volume {name} were lost: the array took them no more. Check what used the volume."
        _LOG.error(text, extra={"code": "writes-lost"})
        operation.progress.remarks.append(text)


def take_down(operation: Operation, helper: Helper, record: Record) -> None:
    """Remove map and paths, unmap on the array, drop the record. Refused by the helper while in use.

    The helper's host lock must be held.
    """
    operation.progress.say("removing the device")
    reply = helper.detach(DetachRequest(operation.op, record.uid, WAIT_MS))
    reached(Step.AGENT_DETACH_REMOVED)
    say_lost(operation, record.name, lost=reply.lost)
    _LOG.info("Removed %s", ", ".join(reply.removed) or "nothing, no device was there")
    unmap(operation, operation.array(record.storage), helper, record)


def unmap(operation: Operation, array: Array, helper: Helper, record: Record) -> None:
    """Unmap a volume whose devices are gone, and drop its record. The helper's host lock must be held.

    The name must still be the recorded volume's: a name may have been given to another one since.
    """
    operation.progress.say(f"unmapping the volume on array {array.name}")
    found = array.find_volume(record.name)
    if found is None or found.uid != record.uid:
        found = array.find_volume_by_uid(record.uid)
    if found is None:
        _LOG.warning("Array %s no longer has volume %s (%s)", array.name, record.name, record.uid)
    else:
        helper.assure_lock(UNMAP_SECONDS)
        try:
            array.unmap_volume(found.name, record.host)
        except Fault as fault:
            if fault.code not in (Code.VOLUME_MISSING, Code.HOST_MISSING):
                raise
        reached(Step.AGENT_DETACH_UNMAPPED)
    operation.node.records.remove(record.uid)
    reached(Step.AGENT_DETACH_FORGOTTEN)
