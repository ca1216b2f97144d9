"""Settling what was begun and not finished: volumes of ours without mount or call (architecture.md 6).

kubelet does not repeat `unmountdevice` once the directory is no mount point, and never calls it for an attach
that it gave up. So 30 s after the last call for a recorded volume that is mounted nowhere it is taken down,
and ten minutes after it when no pod has its device mount. Nothing wakes up while nothing is unfinished.

Each array has a lane of its own, so that what waits for a dead one holds nobody else back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from nodeagent.expansion import interrupted
from nodeagent.recovery import adopting, settling
from nodeagent.recovery.comparisons import Comparisons
from nodeagent.recovery.failures import LONGEST_PAUSE, Failures
from nodeagent.recovery.unclaimed import Unclaimed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from instorage.volume_name import VolumeName
    from nodeagent.operation.node import Node, Operation

REST_SECONDS = 30.0  # waitforattach and mountdevice are two calls
WIDTH = 8  # volumes of one array at a time
ADOPTION = "adoption"
EXPANSIONS = "expansions"
COMPARISON = "comparison"
"""What is due beside volumes: looks for what has no record, broken-off expansions, what others have done."""
_LOG = logging.getLogger(__name__)


class Reconciler:
    """One thread that sees what is due, and one for each volume that it is at work on, a few for an array.

    `begin` opens an operation with its own request id.
    """

    def __init__(
        self,
        node: Node,
        begin: Callable[[str, VolumeName | None], AbstractContextManager[Operation]],
        rest: float = REST_SECONDS,
    ) -> None:
        self._node = node
        self._begin = begin
        self._rest = rest
        self._comparisons = Comparisons(begin)
        self._unclaimed = Unclaimed(rest)
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._failures = Failures(node.trouble, rest)
        self._active: dict[str, str] = {}
        self._earlier: set[str] = set()
        self._said: set[VolumeUid] = set()
        self._stopping = False
        self._settled = threading.Event()
        self.thread = threading.Thread(target=self._run, name="reconciliation", daemon=True)

    def start(self) -> None:
        """Begin with what the last run or boot left behind."""
        self.thread.start()

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
        """Look after this volume when it has rested: a call has ended and it may be mounted nowhere.

        Without a record it may be here all the same.
        """
        uids: list[str] = [record.uid for record in self._node.records.by_name(name)]
        for due in uids or [ADOPTION]:
            self._schedule(due, self._rest)

    def claimed(self, name: VolumeName) -> None:
        """Take the beginning of a call as a sign that somebody wants this volume, or ends it himself."""
        with self._changed:
            for record in self._node.records.by_name(name):
                if self._unclaimed.claim(record.uid):
                    self._due.pop(record.uid, None)
                    self._dealt_with(record.uid)

    def unclaimed(self, name: VolumeName) -> None:
        """Look, once kubelet has had the time to ask again, whether a pod has this volume (`Unclaimed`)."""
        for record in self._node.records.by_name(name):
            self._schedule(record.uid, self._unclaimed.note(record.uid) - time.monotonic())

    def finished(self, name: VolumeName) -> None:
        """Leave this volume alone: it is in order. Of two with one name it is not known which one is."""
        with self._changed:
            records = self._node.records.by_name(name)
            for record in records if len(records) == 1 else ():
                self._due.pop(record.uid, None)
                self._failures.over(record.uid)
                self._dealt_with(record.uid)

    def idle(self) -> bool:
        """Say whether nothing is unfinished."""
        with self._changed:
            return not (self._due.keys() | self._active.keys()) - {COMPARISON}

    def _schedule(self, what: str, seconds: float) -> None:
        with self._changed:
            self._due[what] = time.monotonic() + seconds
            self._changed.notify_all()

    def _run(self) -> None:
        """See to what is due until `stop`; no defect in it ends this thread."""
        self._guarded(self._look_around)
        compare = threading.Thread(
            target=self._guarded, args=(self._compare,), name="comparison", daemon=True
        )
        self._guarded(compare.start)
        while not self._stopping:
            self._guarded(self._next)

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            _LOG.exception("Reconciliation met a defect of the agent and goes on")
            with self._changed:
                self._changed.wait(min(self._rest, 1.0))

    def _look_around(self) -> None:
        """Make due at once what has no record and what an earlier boot left, and the rest later."""
        records = self._node.records.all()
        old = {record.uid for record in records if record.boot_id != self._node.boot_id}
        with self._changed:
            self._earlier = {ADOPTION, EXPANSIONS, *old}
        self._schedule(ADOPTION, 0)
        self._schedule(EXPANSIONS, 0)
        for record in records:
            self._schedule(record.uid, 0 if record.uid in old else self._rest)

    def _dealt_with(self, what: str) -> None:
        """Let go who waits for `wait_settled`, once nothing of an earlier boot is left to be tried."""
        with self._changed:
            self._earlier.discard(what)
            if not self._earlier:
                self._settled.set()

    def _settle_expansions(self) -> None:
        try:
            with self._begin("looking for a broken-off expansion", None) as operation:
                if not interrupted.settle(operation):
                    self._schedule(EXPANSIONS, self._rest)
            self._failures.over(EXPANSIONS)
        except Fault as fault:
            self._again(EXPANSIONS, "Whether an expansion was broken off here is not known", fault)

    def _adopt(self) -> None:
        before = {record.uid for record in self._node.records.all()}
        try:
            with self._begin("looking for volumes without a record", None) as operation:
                adopting.adopt_all(operation, self._said)
            self._failures.over(ADOPTION)
        except Fault as fault:
            self._again(ADOPTION, "Not every volume on this host has a record", fault)
        for record in self._node.records.all():
            if record.uid not in before:
                self._schedule(record.uid, self._rest)

    def _compare(self) -> None:
        self._settled.wait(LONGEST_PAUSE)
        try:
            self._comparisons.compare()
        finally:
            self._schedule(COMPARISON, self._comparisons.pause)

    def _next(self) -> None:
        """Wait for what is due first and begin it; returns when it has begun, or to be called again."""
        with self._changed:
            full = {lane for lane, count in Counter(self._active.values()).items() if count >= WIDTH}
            lanes = {what: self._lane(what) for what in self._due if what not in self._active}
            ready = [(self._due[what], what) for what, lane in lanes.items() if lane not in full]
            at, what = min(ready, default=(None, ""))
            now = time.monotonic()
            if self._stopping:
                return
            if at is None or at > now:
                self._changed.wait(None if at is None else at - now)
                return
            del self._due[what]
            self._active[what] = lanes[what]
        try:
            threading.Thread(target=self._work, args=(what,), name="settling", daemon=True).start()
        except RuntimeError:  # the process may have no further thread
            self._ended(what)
            self._schedule(what, self._rest)

    def _lane(self, what: str) -> str:
        record = self._node.records.get(VolumeUid(what))
        return record.storage if record else what

    def _work(self, what: str) -> None:
        """Do what is due in a thread of its own; it is due again unless it was done or has said when."""
        looks = {ADOPTION: self._adopt, EXPANSIONS: self._settle_expansions, COMPARISON: self._compare}
        try:
            looks.get(what, lambda: self._settle(VolumeUid(what)))()
        except Exception as error:
            _LOG.exception("Reconciliation met a defect of the agent")
            self._schedule(what, self._failures.pause(what, Fault(Code.INTERNAL, str(error))))
        finally:
            self._ended(what)

    def _ended(self, what: str) -> None:
        with self._changed:
            self._active.pop(what, None)
            self._changed.notify_all()
        self._dealt_with(what)

    def _settle(self, uid: VolumeUid) -> None:
        record = self._node.records.get(uid)
        if record is None:
            return
        if self._node.locks.busy(record.name):
            self._schedule(uid, self._rest)
            return
        try:
            with self._begin("reconciliation", record.name) as operation:
                told = self._failures.last(uid) in settling.WAITED_FOR
                if settling.settle(operation, record, lambda: self._unclaimed.given_up(uid), told=told):
                    self._schedule(uid, self._unclaimed.note(uid) - time.monotonic())
            self._failures.over(uid)
        except Fault as fault:
            self._again(uid, f"Volume {record.name} is left over and could not be taken down", fault)

    def _again(self, what: str, sentence: str, fault: Fault) -> None:
        self._schedule(what, self._failures.again(what, sentence, fault))
