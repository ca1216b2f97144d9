"""What is on this host without a record that can be read: each volume taken over that an array knows as ours.

One that cannot be settled, because its array does not answer, keeps nobody else and is tried again.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING

from instorage.operation import overlap
from instorage.wire.fault import Code, Fault
from nodeagent.operation import journal, targets
from nodeagent.operation.targets import DeviceTarget
from nodeagent.volume import adoption, leftover, owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.wire.values import VolumeUid
    from instorage.wire.verbs import InspectReply
    from nodeagent.operation.node import Operation

LOCK_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


def adopt_all(operation: Operation) -> None:
    """Take over what is mounted in our directories, and make anew the records that cannot be read.

    Raises the first fault when all have been tried.
    """
    records = operation.node.records
    with operation.helper() as helper:
        here = {reply.uid: reply for reply in helper.inspect_all() if reply.uid is not None}
    strange = [one for uid, one in here.items() if records.get(uid) is None and (one.paths or one.device)]
    jobs = [functools.partial(_adopt, operation, one) for one in strange if _device_mount(one)]
    left = {one.uid for one in strange if _device_mount(one) is None}
    jobs += [
        functools.partial(_recover, operation, uid)
        for uid in records.unknown()
        if uid not in here or uid in left
    ]
    for uid in sorted(filter(None, left.difference(records.unknown()))):
        _LOG.warning("Volume UID %s is on this host without a record: left alone", uid)
    faults = [fault for fault in overlap([functools.partial(_tried, job) for job in jobs]) if fault]
    if faults:
        raise faults[0]


def _tried(job: Callable[[], None]) -> Fault | None:
    """Do one job, whatever it meets; return what keeps it."""
    try:
        job()
    except Fault as fault:
        _LOG.warning(
            "A volume without a record could not be taken over: %s", fault, extra=journal.coded(fault)
        )
        return fault
    except Exception as error:
        _LOG.exception("A volume without a record could not be taken over by a defect of the agent")
        return Fault(Code.INTERNAL, f"A defect of the agent ({type(error).__name__}).")
    return None


def _device_mount(here: InspectReply) -> str | None:
    """Return where kubelet has the volume mounted as a device."""
    return next((m.target for m in here.mounts if targets.is_device_mount(m.target)), None)


def _adopt(operation: Operation, seen: InspectReply) -> None:
    target = DeviceTarget.parse(str(_device_mount(seen)))
    deadline = time.monotonic() + LOCK_SECONDS
    with operation.node.locks.held(target.name, f"a look at {target.path}", operation.progress, deadline):
        with operation.helper() as helper:
            uid = seen.uid
            if uid is None or operation.node.records.get(uid) is not None:
                return
            if all(mount.target != target.path for mount in helper.inspect(uid).mounts):
                return  # a call has taken it down meanwhile
        if adoption.adopt(operation, uid, target) is None:
            _LOG.warning("Volume UID %s is on this host without a record: left alone", uid)


def _recover(operation: Operation, uid: VolumeUid) -> None:
    found = owner.find(operation, uid)
    if found is None:
        _LOG.warning("No configured array has volume UID %s, whose record cannot be read: left alone", uid)
        return
    name, records, deadline = found.volume.name, operation.node.records, time.monotonic() + LOCK_SECONDS
    with operation.node.locks.held(name, f"a look for the record of {name}", operation.progress, deadline):
        if uid not in records.unknown() or adoption.recover(operation, found) is not None:
            return
        with operation.helper() as helper:
            if not leftover.anything(helper.inspect(uid)):
                records.settle_unknown(uid)
