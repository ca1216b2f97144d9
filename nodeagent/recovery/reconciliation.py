"""Settling what was begun and not finished: volumes of ours without mount or call (architecture.md 6).

kubelet does not repeat `unmountdevice` once the directory is no mount point, and never calls it for an attach
that it gave up. So 30 s after the last call for a recorded volume that is mounted nowhere it is taken down
here. Nothing wakes up while nothing is unfinished.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import TYPE_CHECKING

from instorage.operation import overlap
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier, host_lock, interrupted
from nodeagent.operation import targets
from nodeagent.operation.steps import Step, reached
from nodeagent.operation.targets import DeviceTarget
from nodeagent.recovery import comparison, vanished
from nodeagent.volume import adoption, takedown

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Node, Operation
    from nodeagent.operation.records import Record

REST_SECONDS = 30.0  # waitforattach and mountdevice are two calls
LONGEST_PAUSE = 600.0
_LOG = logging.getLogger(__name__)


class Reconciler:
    """One thread that takes unfinished volumes down. `begin` opens an operation with its own request id."""

    def __init__(
        self,
        node: Node,
        begin: Callable[[str, VolumeName | None], AbstractContextManager[Operation]],
        rest: float = REST_SECONDS,
    ) -> None:
        self._node = node
        self._begin = begin
        self._rest = rest
        self._changed = threading.Condition()
        self._due: dict[VolumeUid, float] = {}
        self._failures: dict[VolumeUid, int] = {}
        self._stopping = self._working = False
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciliation", daemon=True)

    def start(self) -> None:
        """Begin with what the last run or boot left behind."""
        self._thread.start()

    def wait_settled(self, seconds: float) -> bool:
        """Wait until the volumes of an earlier boot were dealt with once; False when that takes longer."""
        return self._settled.wait(seconds)

    def stop(self) -> None:
        """Begin nothing more, and let nobody wait for it."""
        self._settled.set()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def unfinished(self, name: VolumeName) -> None:
        """Look after this volume when it has rested: a call has ended and it may be mounted nowhere."""
        for record in self._node.records.by_name(name):
            self._schedule(record.uid, self._rest)

    def finished(self, name: VolumeName) -> None:
        """Leave this volume alone: it is in order."""
        with self._changed:
            for record in self._node.records.by_name(name):
                self._due.pop(record.uid, None)
                self._failures.pop(record.uid, None)

    def idle(self) -> bool:
        """Say whether nothing is unfinished."""
        with self._changed:
            return not self._due and not self._working

    def _schedule(self, uid: VolumeUid, seconds: float) -> None:
        with self._changed:
            self._due[uid] = time.monotonic() + seconds
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._look_around()
        except Exception:
            _LOG.exception("The first look at this host failed")
        self._settled.set()
        threading.Thread(target=self._compare, name="comparison", daemon=True).start()
        while (due := self._wait()) is not None:
            overlap([functools.partial(self._settle, uid) for uid in due])
            with self._changed:
                self._working = False

    def _look_around(self) -> None:
        """Adopt what is mounted in our directories, settle what an earlier boot left, schedule the rest."""
        self._tried(self._settle_expansions)
        self._adopt()
        records = self._node.records.all()
        old = [record for record in records if record.boot_id != self._node.boot_id]
        for record in records:
            if record not in old:
                self._schedule(record.uid, self._rest)
        overlap([functools.partial(self._settle, record.uid) for record in old])

    def _settle_expansions(self) -> None:
        with self._begin("looking for a broken-off expansion", None) as operation:
            interrupted.settle(operation)

    def _adopt(self) -> None:
        try:
            with self._begin("looking at what is mounted", None) as operation, operation.helper() as helper:
                for reply in helper.inspect_all():
                    if reply.uid is None or self._node.records.get(reply.uid) is not None:
                        continue
                    if not (reply.paths or reply.device):
                        continue  # of its format there is a record, of the volume nothing
                    mounts = [m.target for m in reply.mounts if targets.is_device_mount(m.target)]
                    if not mounts or not adoption.adopt(operation, reply.uid, DeviceTarget.parse(mounts[0])):
                        _LOG.warning("Volume UID %s is on this host without a record: left alone", reply.uid)
        except Fault as fault:
            _LOG.warning("Mounted volumes could not be compared with the records: %s", fault)

    def _compare(self) -> None:
        """Compare with every array, and ask them for the volumes whose format was broken off here."""
        try:
            with self._begin("comparing with the arrays", None) as operation:
                arrays = [operation.array(one.name) for one in operation.configuration.storage]
                jobs = [functools.partial(comparison.compare, operation, array) for array in arrays]
                with operation.helper() as helper:
                    replies = helper.inspect_all()
                for reply in replies:
                    if reply.uid and reply.formatting and self._node.records.get(reply.uid) is None:
                        jobs.append(functools.partial(vanished.forget_format, operation, reply.uid))
                overlap([functools.partial(self._tried, job) for job in jobs])
        except Fault as fault:
            _LOG.warning("The arrays could not be compared with the records: %s", fault)

    @staticmethod
    def _tried(job: Callable[[], None]) -> None:
        try:
            job()
        except Fault as fault:
            _LOG.warning("The records could not be compared with what is there: %s", fault)

    def _wait(self) -> list[VolumeUid] | None:
        """Wait for volumes that are due; None: stop."""
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                due = [uid for uid, at in self._due.items() if at <= now]
                if due:
                    for uid in due:
                        del self._due[uid]
                    self._working = True
                    return due
                next_at = min(self._due.values(), default=None)
                self._changed.wait(None if next_at is None else next_at - now)
        return None

    def _settle(self, uid: VolumeUid) -> None:
        record = self._node.records.get(uid)
        if record is None:
            return
        if self._node.locks.busy(record.name):
            self._schedule(uid, self._rest)
            return
        try:
            with self._begin("reconciliation", record.name) as operation:
                self._look(operation, record)
            self._failures.pop(uid, None)
        except Fault as fault:
            self._later(record, fault)
        except Exception as error:
            _LOG.exception("Reconciliation of volume %s failed", record.name)
            self._later(record, Fault(Code.INTERNAL, str(error)))

    def _look(self, operation: Operation, record: Record) -> None:
        node = self._node
        deadline = time.monotonic() + 1
        with node.locks.held(record.name, f"reconciliation of {record.name}", operation.progress, deadline):
            barrier.refuse(operation)
            if node.records.get(record.uid) is None:
                return
            with operation.helper() as helper:
                if not self._unused(helper, record):
                    return
                _LOG.warning("Volume %s is attached, mounted nowhere and wanted by no call: taking it down",
                             record.name)  # fmt: skip
                host_lock.share(operation, helper)
                takedown.take_down(operation, helper, record)

    def _unused(self, helper: Helper, record: Record) -> bool:
        """Say whether nothing mounts the volume; with attach:false an unbound device mount is nothing."""
        mounts = [mount.target for mount in helper.inspect(record.uid).mounts]
        if mounts == [record.target] and not self._node.paths.attach:
            helper.unmount(mounts[0])
            reached(Step.AGENT_SETTLE_UNMOUNTED)
            mounts = []
        return not mounts

    def _later(self, record: Record, fault: Fault) -> None:
        failures = self._failures.get(record.uid, 0) + 1
        self._failures[record.uid] = failures
        pause = min(self._rest * 2 ** min(failures - 1, 10), LONGEST_PAUSE)  # one kill costs no minute
        _LOG.warning(
            "Volume %s is left over and could not be taken down, again in %.0f s: %s",
            record.name, pause, fault,
            extra={"code": fault.code.value},
        )  # fmt: skip
        self._schedule(record.uid, pause)
