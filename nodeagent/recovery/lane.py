"""One array's part of healing: in a thread of its own, which a dead array may keep waiting."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent.operation import journal
from nodeagent.recovery import addition, repair
from nodeagent.recovery.arrivals import Arrivals
from nodeagent.recovery.health import judge
from nodeagent.recovery.path_saying import PathSaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid
    from nodeagent.host.volume_paths import End, VolumeMap
    from nodeagent.operation.node import Node, Operation
    from nodeagent.operation.records import Record
    from nodeagent.recovery.health import Failed, Health

    Sick = dict[Record, tuple[VolumeMap, Health]]

ASK_SECONDS = 10.0  # after a question to the array about what is lost, doubled each time
LONGEST_SECONDS = 60.0
PATIENT = (
    6  # questions that may fail before they are asked more seldom: an array's nodes change over in a minute
)
_LOG = logging.getLogger(__name__)


class Lane:
    """Sees to the volumes of `storage`; one look at a time, what comes meanwhile is looked at again."""

    def __init__(
        self,
        node: Node,
        begin: Callable[[str, VolumeName | None], AbstractContextManager[Operation]],
        storage: str,
    ) -> None:
        self._node, self._begin, self._storage = node, begin, storage
        self._saying, self._addition = PathSaying(), addition.Addition()
        self._guard = threading.Lock()
        self._asked: tuple[set[tuple[str, End]], float] = set(), 0.0  # about what, and the pause after it
        self._next = 0.0  # monotonic seconds
        self._failures = 0  # questions since the last that was answered
        self._strays: set[End] = set()
        self._arrivals = Arrivals(node.expected.ends(storage))
        self.unfinished = False
        """Whether a session leads nowhere, or an end came, and the array could not tell; or none looked."""

    def see_to(self, volumes: Sick, failed: Failed) -> set[VolumeUid]:
        """Say what changed, and mend in the background what is not well; returns at once.

        Returns what is to be looked at again: what is not well, and all of which the end of a loss may not be
        said yet. Nobody else rings for that.
        """
        if not self._guard.acquire(blocking=False):
            self.unfinished = True
            return {record.uid for record in volumes}
        handed = False
        try:
            about = self._news([health for _, health in volumes.values()])
            sick = {record.uid for record, (_, health) in volumes.items() if self._is_sick(record, health)}
            if not sick and not about:
                self._tell(volumes, {})
                return set()
            owed = {record.uid for record in volumes if self._saying.owes(str(record.name))}
            handed = self._hand_over(volumes, failed, about)
            return sick | owed
        finally:
            if not handed:
                self._guard.release()

    def _is_sick(self, record: Record, health: Health) -> bool:
        return bool(health.lost) or self._node.expected.of(record.uid) is None

    def _news(self, volumes: list[Health]) -> set[tuple[str, End]]:
        """Return what the array is to be asked about although no path need be lost."""
        strays = repair.strays(self._node, self._storage)
        self._strays &= strays  # what is left alone is asked about once
        came = self._arrivals.look(repair.ports(self._node, self._storage), volumes)
        about = {("stray", end) for end in strays - self._strays} | {("came", end) for end in came}
        self.unfinished = bool(about)
        return about

    def _hand_over(self, volumes: Sick, failed: Failed, about: set[tuple[str, End]]) -> bool:
        """Begin the work in the background, which gives the guard back; return whether it began."""
        given = (volumes, failed, about)
        work = threading.Thread(target=self._guarded, args=given, name="healing-lane", daemon=True)
        try:
            work.start()
        except RuntimeError:  # the process may have no further thread
            return False
        return True

    def _guarded(self, volumes: Sick, failed: Failed, asked: set[tuple[str, End]]) -> None:
        try:
            with self._begin(f"looking after the paths of array {self._storage}", None) as operation:
                self._work(operation, volumes, failed, asked)
        except Fault as fault:
            said = self._node.trouble.failed(f"healing at {self._storage}", fault, "")
            if said.anew:
                text = "Paths of array %s could not be seen to%s: %s"
                _LOG.warning(
                    text, self._storage, said.times, journal.brief(fault), extra=journal.coded(fault)
                )
        except Exception:
            _LOG.exception("Healing met a defect of the agent and goes on")
        finally:
            self._guard.release()

    def _work(self, operation: Operation, volumes: Sick, failed: Failed, asked: set[tuple[str, End]]) -> None:
        why, added = self._mend(operation, volumes)
        unknown = any(operation.node.expected.of(record.uid) is None for record in volumes)
        stale = operation.node.expected.stale(self._storage)
        about = asked | {("lost", end) for _, health in volumes.values() for end in health.lost}
        if (unknown or stale or about) and self._may_ask(about):
            try:
                repair.refresh(operation, self._storage)
            except Fault as fault:  # the array's commands are one thing, its data paths another
                self._unanswered()
                _LOG.debug("Array %s does not say where its paths lead: %s", self._storage, fault)
            else:
                self._failures = 0
                volumes = {
                    record: (found, judge(found, operation.node.expected.of(record.uid), failed))
                    for record, (found, _) in volumes.items()
                }
                why, more = self._mend(operation, volumes)
                added = added or more
                self._leave(operation)
                if self._arrivals.settle(operation.node.expected.ends(self._storage)):
                    operation.node.expected.look()  # other volumes may have a path more than was known
        if not added:  # else the next look, at once, finds how it is now
            self._tell(volumes, why)

    def _mend(self, operation: Operation, volumes: Sick) -> tuple[dict[End, str], bool]:
        """Add what can be added to volumes that are mounted; return why the rest cannot, whether any was."""
        mounted = {record: one for record, one in volumes.items() if record.target and one[1].missing}
        closed = addition.unreached(operation, [health for _, health in mounted.values()])
        why, added = self._addition.add(operation, mounted, closed)
        return closed | why, added

    def _leave(self, operation: Operation) -> None:
        found = repair.strays(operation.node, self._storage)
        if found:
            repair.leave(operation, operation.array(self._storage), found)
            self._strays |= found

    def _may_ask(self, about: set[tuple[str, End]]) -> bool:
        """Say whether the array is to be asked now: at once about what is new, else more and more seldom."""
        known, pause = self._asked
        now = time.monotonic()
        if about <= known and now < self._next:
            return False
        pause = min(pause * 2, LONGEST_SECONDS) if about <= known and pause else ASK_SECONDS
        self._asked, self._next = (about, pause), now + pause
        return True

    def _unanswered(self) -> None:
        """Have a question that failed asked again soon: it does not count as one of those that are seldom."""
        self._failures += 1
        if self._failures <= PATIENT:
            about, _ = self._asked
            self._asked, self._next = (about, 0.0), time.monotonic() + ASK_SECONDS

    def _tell(self, volumes: Sick, why: dict[End, str]) -> None:
        node = self._node
        self._saying.keep({one.name for one in node.records.all() if one.storage == self._storage})
        words = {str(record.name): node.expected.queueing(record.uid) for record in volumes}
        told = {str(record.name): health for record, (_, health) in volumes.items() if record.target}
        self._saying.tell(self._storage, told, why, words)
