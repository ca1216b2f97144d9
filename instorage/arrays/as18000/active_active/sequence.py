"""One run through the steps of an expansion, each recorded before it is sent (safety.md 18)."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.active_active import picture as pictures
from instorage.arrays.as18000.active_active.plan import done, plan, words
from instorage.arrays.as18000.active_active.ready import require_synchronized
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.refusal import BUSY, Refused
from instorage.arrays.expansion import GROWS, Expansion, Progress, Step
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instorage.arrays.active_active import ActiveActive
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.endpoint import Limits
    from instorage.arrays.expansion import Guard, Plan

LOOK = 10.0  # seconds for a second look after a lost answer, while the file system is frozen
ROUNDS = 3  # of planning: what was left, what that led to, nothing
log = logging.getLogger("instorage.arrays")


class Sequence:
    """One run through steps: each is recorded before it is sent, and the first failure ends the run."""

    def __init__(
        self, cli: Cli, record: Expansion, picture: ActiveActive, guard: Guard, limits: Limits
    ) -> None:
        self._cli = cli
        self._record = record
        self._picture = picture
        self._guard = guard
        self._patience = limits.step
        self._settling = limits.operation + limits.step  # it may be sent as late as a step may take
        self._unhurried = limits.call
        self._frozen = False
        self._begun = False  # any step was done by this run
        self._anew = False  # and none by an earlier one

    def freeze(self) -> None:
        """Freeze, and read the relationship once more: a link may have broken since the first look."""
        self._frozen = True  # also if the answer is lost
        self._guard.freeze()
        master = self._picture.members[0].id
        require_synchronized(self._cli, self._picture, pictures.relationship(self._cli, master))

    def thaw(self) -> None:
        """Thaw, if that was not done; from here on something may be written."""
        if self._frozen:
            self._frozen = False
            with self._told():
                self._guard.thaw()

    def nine(self) -> None:
        """Do the nine steps; frozen from before the first until after the last, or until `-sync` is lost."""
        self._anew = True
        self._send(Step.UNTIE)
        for step in GROWS:
            self._send(step)
        self._tie()
        for step in (Step.ACCESS, Step.MASTER_CHANGE, Step.AUX_CHANGE):
            self._send(step)
        self.thaw()

    def follow(self, left: Plan) -> None:
        """Do what is planned; never with `-sync`."""
        for planned in left.commands:
            self._send(planned.step)
            if planned.step is Step.TIE:
                self._record = replace(self._record, alike=True)

    def attempt(self, work: Callable[[], None]) -> None:
        """Do the work; when it fails, thaw at once, then write down why, or nothing if nothing was done."""
        try:
            work()
        except Fault as fault:
            self.thaw()
            if self._untouched(fault):
                self._guard.erase()
                raise
            with self._told():
                self._fail(fault)
            raise self._broken_off(fault) from fault
        except BaseException:
            self.thaw()
            raise

    def _untouched(self, fault: Fault) -> bool:
        """Tell whether the array was not well for the first step, and so did none."""
        return self._anew and not self._begun and isinstance(fault, Refused) and fault.cmmvc in BUSY

    def finish(self) -> ActiveActive:
        """See that the picture is whole, do what only shows in the end, and forget the record."""
        self.attempt(self._finish)
        self._guard.erase()
        return self._picture

    def _finish(self) -> None:
        for _ in range(ROUNDS):
            self._picture = pictures.reread(self._cli, self._record.volume, self._record.members)
            left = plan(self._record, self._picture)
            if left.whole:
                return
            refuse_questions(self._record, left)
            self.follow(left)
        raise Fault(Code.ARRAY_ANSWER, "The picture does not become whole.", volume=self._record.volume)

    def _tie(self) -> None:
        """Make the relationship again: with `-sync` if nothing can have been written until it was there."""
        if self._still_frozen(self._patience) and self._synced():
            if self._still_frozen(0):
                self._record = replace(self._record, alike=True)  # on the disk with the next step
                return
            self.thaw()
            self._send(Step.UNTIE)
        self.thaw()
        log.warning(
            "volume %s: the freeze did not hold for long enough; the aux is synchronised in full",
            self._record.volume,
        )
        self._send(Step.TIE)
        self._record = replace(self._record, alike=True)

    def _synced(self) -> bool:
        """Make it with `-sync`; False when the array was not well for as long as the freeze is proven."""
        try:
            self._once(Step.TIE, sync=True)
        except Refused as refused:
            if refused.cmmvc not in BUSY:
                raise
            return False
        return True

    def _still_frozen(self, seconds: float) -> bool:
        """Tell whether nothing was thawed so far, and nothing will be for more than `seconds`."""
        if not self._frozen:
            return False
        try:
            hold = self._guard.freeze()
        except Fault as fault:
            log.warning("volume %s: %s", self._record.volume, fault.sentence)
            return False
        return hold.intact and hold.until - time.monotonic() > seconds

    def _send(self, step: Step) -> None:
        """Do a step. While the array is not well applications wait for `Limits.step` at most, this longer.

        Unless nothing was done yet: that is no reason to have the copies synchronised in full. Each attempt
        is recorded anew: the record says until when a lost one may still be carried out.
        """
        until = time.monotonic() + self._unhurried
        while True:
            try:
                return self._once(step)
            except Refused as refused:
                first = self._frozen and not self._begun
                if refused.cmmvc not in BUSY or first or time.monotonic() >= until:
                    raise
            self.thaw()

    def _once(self, step: Step, *, sync: bool = False) -> None:
        """Record a step and send it, again within the time of one command while the array is not well."""
        self._record = replace(
            self._record,
            state=Progress.RUNNING,
            step=step,
            sent=int(time.time() * 1000),
            synced=int(time.time() * 1000) if sync else self._record.synced,
            untied=(step is Step.UNTIE and self._record.maybe_untied) or self._record.untied,
            patience=int(self._settling * 1000),
            answered=False,
            alike=self._record.alike and step is not Step.UNTIE,
            failure="",
        )
        try:
            self._guard.write(self._record)
            # A process that was stopped for long comes back where others have gone on.
            with operation.within(self._patience), operation.only_while(self._guard.require_alone):
                self._cli.operate(*words(self._record, self._picture, step, sync=sync))
        except OutcomeUnknown:
            if not self._seen(step, sync=sync):
                raise
        except Fault:  # refused, or not sent at all
            self._record = replace(self._record, answered=True, synced=None if sync else self._record.synced)
            raise
        gone = step is Step.UNTIE
        self._record = replace(self._record, answered=True, synced=None if gone else self._record.synced)
        self._begun = True

    def _seen(self, step: Step, *, sync: bool) -> bool:
        """Look whether a step was done whose answer is lost.

        A relationship without `-sync` must show it: a `-sync` of before, given up and late, looks the same.
        While such a one is not known to be gone nothing shows it.
        """
        try:
            with operation.within(LOOK):
                found = pictures.reread(self._cli, self._record.volume, self._record.members)
        except Fault as fault:
            log.warning("volume %s: %s", self._record.volume, fault.sentence)
            return False
        if step is Step.TIE and not sync:
            shown = found.relationship is not None and found.relationship.copied_in_full
            return shown and self._record.synced is None
        return done(self._record, found, step)

    def _fail(self, fault: Fault) -> None:
        self._record = replace(self._record, state=Progress.FAILED, failure=fault.sentence[:500])
        self._guard.write(self._record)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Go on although the host cannot: what is frozen is leased, and what is recorded says enough."""
        try:
            yield
        except Fault as fault:
            log.error("volume %s: %s", self._record.volume, fault.sentence)

    def _broken_off(self, fault: Fault) -> Fault:
        step = self._record.step
        where = f"step {step.number} of 9 ({step})" if step else "the beginning"
        return Fault(
            fault.code,
            f"The expansion of volume {self._record.volume} on array {self._record.array} broke off at "
            f"{where}: {fault.sentence} «instoragectl barrier plan» says what is left.",
            **{**fault.fields, "volume": self._record.volume, "step": str(step or "")},
        )


def refuse_questions(record: Expansion, left: Plan) -> None:
    """Raise VOLUME_NOT_READY with what a person has to find out first."""
    if left.questions:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"The expansion of volume {record.volume} on array {record.array} is not finished by itself: "
            + " ".join(left.questions),
            array=record.array,
            volume=record.volume,
        )
