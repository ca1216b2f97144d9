"""What this host does for an active-active expansion: record, barrier file, freeze and thaw (safety.md 18).

All over the one helper connection that holds the host lock exclusively.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.expansion import NINE, Hold, Progress
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier, barrier_text
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.expansion import Expansion, Plan
    from instorage.wire.values import VolumeUid
    from nodeagent.expansion.barrier import Files
    from nodeagent.host.helper_client import Helper

LEASE_SECONDS = 60.0
STEP_SECONDS = 40.0  # a command (`Limits.step`), the look after a lost answer, and what lies between
PLAN_SECONDS = 15.0
OTHERS_SECONDS = 5.0  # who holds the host lock longer has gone on with the expansion, or is at another one
_LOG = logging.getLogger(__name__)


class HostGuard:
    """A `Guard` for one volume. `target`: where it is mounted, None when it is not mounted here.

    `anew`: an expansion that begins; else the barrier file is written only where it is, since one that a
    person removed must not come back. `plan` asks the array what is left, `say` takes each phase.
    """

    def __init__(
        self,
        helper: Helper,
        files: Files,
        uid: VolumeUid,
        target: str | None,
        plan: Callable[[Expansion], Plan],
        say: Callable[[str], None],
        *,
        anew: bool = True,
    ) -> None:
        self._helper = helper
        self._files = files
        self._uid = uid
        self._target = target
        self._plan = plan
        self._say = say
        self._anew = anew
        self._written: set[tuple[object, int]] = set()  # what tells each record that this run tried to keep
        self._told = False  # the text for the time of the run is in the file
        self._connection = 0
        self._intact = True
        self._frozen_at: float | None = None
        self._until = 0.0
        self._sent_at: float | None = None
        self._commands = 0.0

    @property
    def uid(self) -> VolumeUid:
        """See `Guard`."""
        return self._uid

    def write(self, record: Expansion) -> None:
        """Keep the record, on the disk before this returns; LOCK_LOST when no command may be sent."""
        self._answered()
        text = ""
        if record.state is Progress.RUNNING:
            self._helper.assure_lock(STEP_SECONDS)
            self._written.add((record.step, record.sent))
            self._renew()
            text = "" if self._told else barrier_text.running(record)
        else:
            self._require_nobody_else(record)
            text = barrier_text.broken_off(record, planned(self._plan, record))
        if text:
            self._write_others(text, record)
        told = self._files.for_helper(text, anew=self._anew) if text else ""
        try:
            self._helper.barrier(self._uid, told, record=barrier_text.line(record))
        except Fault as fault:
            if record.state is Progress.RUNNING or fault.code is not Code.LOCK_LOST:
                raise
            self._helper.close()
            self._require_nobody_else(record)
            self._helper.barrier(self._uid, told, record=barrier_text.line(record))
        reached(Step.AGENT_EXPAND_BARRIER)
        self._told = True
        if record.state is Progress.RUNNING and record.step is not None:
            self._say(f"step {record.step.number} of {len(NINE)}: {record.step}")
            self._sent_at = time.monotonic()

    def require_alone(self) -> None:
        """Raise LOCK_LOST when the host lock is not held any more."""
        self._helper.require_lock()

    def _require_nobody_else(self, record: Expansion) -> None:
        """Raise when another process has gone on with the expansion since the lock was lost.

        It keeps what is true. What failed here is kept under a shared lock: no command follows it.
        """
        with contextlib.suppress(Fault):
            self._helper.require_lock()
            return
        self._helper.close()
        self._helper.lock(OTHERS_SECONDS)
        for kept in barrier.records(self._helper.barrier()):
            if kept.uid == record.uid and (kept.step, kept.sent) in self._written:
                return
        raise Fault(
            Code.LOCK_LOST,
            f"Another process went on with the expansion of volume {record.volume} while this one did "
            "nothing: what failed here is not kept.",
            volume=record.volume,
        )

    def _write_others(self, text: str, record: Expansion) -> None:
        """Write the files beside the plugin directory's; only a run that has not begun can be given up."""
        try:
            self._files.write(text, anew=self._anew)
        except Fault as fault:
            if record.step is None:
                self._files.erase()
                raise
            _LOG.error("%s", fault)

    def erase(self) -> None:
        """Forget the record and remove the barrier files."""
        self._answered()
        self._helper.barrier(self._uid, erase=True)
        self._files.erase()
        reached(Step.AGENT_EXPAND_ERASED)
        self._told, self._anew = False, True

    def freeze(self) -> Hold:
        """Freeze, or renew; not intact once it was thawed, or asked for over another connection."""
        self._answered()
        asked = time.monotonic()  # the lease begins later: this is never too long
        if self._target is None:
            return Hold(intact=False, until=asked)
        if self._frozen_at is None:
            self._say("freezing the file system")
            self._frozen_at, self._commands = asked, 0.0
        intact = self._helper.freeze(self._uid, self._target, LEASE_SECONDS).intact
        reached(Step.AGENT_EXPAND_FROZEN)
        first = self._connection == 0
        self._connection = self._connection or self._helper.connections
        same = first or self._connection == self._helper.connections
        self._intact = self._intact and intact and same
        self._until = asked + LEASE_SECONDS
        return Hold(self._intact, self._until)

    def thaw(self) -> None:
        """Thaw; a helper that cannot be reached has thawed by itself."""
        self._answered()
        if self._target is None:
            return
        began, self._frozen_at = self._frozen_at, None
        self._connection, self._intact, self._until = 0, True, 0.0
        try:
            self._helper.thaw(self._uid, self._target)
        except Fault:
            self._helper.close()  # with its connection a freeze ends as well
            raise
        reached(Step.AGENT_EXPAND_THAWED)
        if began is not None:
            frozen, commands = time.monotonic() - began, self._commands
            _LOG.info("The file system was frozen for %.3f s, %.3f s of it the array's commands took",
                      frozen, commands, extra={"ms": str(round(frozen * 1000))})  # fmt: skip

    def _renew(self) -> None:
        """Freeze for longer while a slow array could outlast the lease."""
        if self._frozen_at is not None and self._until - time.monotonic() < STEP_SECONDS:
            self.freeze()

    def _answered(self) -> None:
        if self._sent_at is not None:
            self._commands += time.monotonic() - self._sent_at
            self._sent_at = None


def planned(plan: Callable[[Expansion], Plan], record: Expansion) -> Plan | None:
    """Ask the array what is left, not for long; None when it does not say."""
    try:
        with operation.within(PLAN_SECONDS):
            return plan(record)
    except Fault as fault:
        _LOG.warning("What is left of the expansion of volume %s is not known now: %s", record.volume, fault)
        return None
