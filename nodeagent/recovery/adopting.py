"""What is on this host without a record that can be read: each volume taken over that an array knows as ours.

One that cannot be settled, because its array does not answer, keeps nobody else and is tried again.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING

from nodeagent.operation import targets
from nodeagent.recovery.attempts import attempt_all
from nodeagent.volume import adoption, leftover, owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.wire.values import VolumeUid
    from instorage.wire.verbs import InspectReply
    from nodeagent.operation.node import Operation
    from nodeagent.operation.targets import DeviceTarget

LOCK_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


def adopt_all(operation: Operation, said: set[VolumeUid]) -> None:
    """Take over what is mounted in our directories, and make anew the records that cannot be read.

    What is left alone is said once and then in `said`. Raises the first fault when all have been tried.
    """
    records = operation.node.records
    with operation.helper() as helper:
        if not (helper.there or records.all() or records.unknown()):
            return  # a control plane's host
        here = {reply.uid: reply for reply in helper.inspect_all() if reply.uid is not None}
    strange = {
        uid: _place(one)
        for uid, one in here.items()
        if records.get(uid) is None and (one.paths or one.device)  # of a format there is a record, no volume
    }
    jobs: dict[str, Callable[[], None]] = {
        uid: functools.partial(_adopt, operation, uid, target, said)
        for uid, target in strange.items()
        if target
    }
    mounted = {uid for uid, target in strange.items() if target}
    unknown = set(records.unknown()) - mounted
    jobs |= {uid: functools.partial(_recover, operation, uid, said) for uid in sorted(unknown)}
    for uid in sorted(strange.keys() - mounted - unknown):
        _left_alone(uid, said)
    about = {f"adoption of {uid}": job for uid, job in jobs.items()}
    faults = attempt_all(operation, "A volume without a record could not be taken over", about)
    if faults:
        raise faults[0]


def _left_alone(uid: VolumeUid, said: set[VolumeUid]) -> None:
    if uid not in said:
        _LOG.warning("Volume UID %s is on this host without a record: left alone", uid)
        said.add(uid)


def _place(here: InspectReply) -> DeviceTarget | None:
    """Return where kubelet has the volume as a device, or would; None for no volume's name, or two."""
    return targets.of_mounts(mount.target for mount in here.mounts)


def _adopt(operation: Operation, uid: VolumeUid, target: DeviceTarget, said: set[VolumeUid]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    with operation.node.locks.held(target.name, f"a look at {target.path}", operation.progress, deadline):
        with operation.helper() as helper:
            if operation.node.records.get(uid) is not None:
                return
            here = helper.inspect(uid)
        if _place(here) != target:
            return  # a call has taken it down meanwhile
        if adoption.adopt(operation, here, target) is None:
            _left_alone(uid, said)


def _recover(operation: Operation, uid: VolumeUid, said: set[VolumeUid]) -> None:
    found = owner.find(operation, uid)
    if found is None:
        _left_alone(uid, said)
        return
    name, records, deadline = found.volume.name, operation.node.records, time.monotonic() + LOCK_SECONDS
    with operation.node.locks.held(name, f"a look for the record of {name}", operation.progress, deadline):
        if uid not in records.unknown() or adoption.recover(operation, found) is not None:
            return
        with operation.helper() as helper:
            if not leftover.anything(helper.inspect(uid)):
                records.settle_unknown(uid)
