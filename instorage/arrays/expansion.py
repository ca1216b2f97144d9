"""What is written down about an active-active expansion, and what it needs from its host (safety.md 18).

After the first step nothing on the array says any more which four vdisks were one volume: the record does.
It becomes JSON by `instorage.wire.record`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from instorage.arrays.active_active import Function, Member
from instorage.arrays.model import Level
from instorage.volume_name import VolumeName  # noqa: TC001  # hints are read at run time
from instorage.wire.fault import Code, Fault
from instorage.wire.record import from_json
from instorage.wire.values import Bytes, VolumeUid  # noqa: TC001  # hints are read at run time

if TYPE_CHECKING:
    from instorage.arrays.model import Volume

SCHEMA = 1


def require_whole(volume: Volume, level: str | None, array: str) -> None:
    """Raise `Fault(VOLUME_NOT_READY)` when `level` says active-active and the array shows another kind.

    After the first step of an expansion the name is that of one vdisk of four, with the volume's UID: to use,
    grow or delete it alone would part the copies. `level`: a `Level`, from what was known before.
    """
    if level == Level.ACTIVE_ACTIVE and volume.level is not Level.ACTIVE_ACTIVE:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {volume.name} should be aa (active-active) and is {volume.level} on array {array}: an "
            "expansion may have been broken off. Nothing was done; see «instoragectl barrier plan "
            f"{volume.name}» on the node that had it last, and finish it first.",
            volume=volume.name,
            array=array,
        )


class Step(StrEnum):
    """The nine steps in order (array-as18000.md 7.6), and the one that some firmware needs after them."""

    UNTIE = "rmrcrelationship"
    GROW_MASTER = "expand-master"
    GROW_AUX = "expand-aux"
    GROW_MASTER_CHANGE = "expand-master-change"
    GROW_AUX_CHANGE = "expand-aux-change"
    TIE = "mkrcrelationship"
    ACCESS = "addvdiskaccess"
    MASTER_CHANGE = "master-change"
    AUX_CHANGE = "aux-change"
    START = "startrcrelationship"

    @property
    def number(self) -> int:
        """Place in the sequence, from 1."""
        return list(Step).index(self) + 1


NINE: tuple[Step, ...] = tuple(step for step in Step if step is not Step.START)
GROWS = {
    Step.GROW_MASTER: Function.MASTER,
    Step.GROW_AUX: Function.AUX,
    Step.GROW_MASTER_CHANGE: Function.MASTER_CHANGE,
    Step.GROW_AUX_CHANGE: Function.AUX_CHANGE,
}


class Progress(StrEnum):
    """RUNNING under the host lock only: who holds the lock and reads it knows that it was broken off."""

    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True)
class Expansion:
    """The record of one expansion, written before step 1 and before every step.

    `members`, `access` (number of I/O groups): the picture before step 1. `step` is the last one that was
    sent, or may have been, at `sent` (ms of the wall clock); `answered` says that the array's answer to it
    came or that it was never sent, else it may still be carried out within `patience` (ms). `alike`: the
    relationship that the array shows was made while nothing could write, or with a full synchronisation;
    while false, the copies count as different. `synced`: when mkrcrelationship was sent with -sync (ms of the
    wall clock), as long as the relationship that it may have made is not known to be gone; None otherwise,
    and then left out: no version of before knows it. `untied`: that the copies were, where `step` does not
    tell it any more, since they are untied once more; None before that, for the same reason. `failure`: what
    went wrong, in the array's words.
    """

    array: str
    volume: VolumeName
    uid: VolumeUid
    host: str
    system: str
    members: tuple[Member, ...]
    access: int
    target: Bytes
    state: Progress = Progress.RUNNING
    step: Step | None = None
    sent: int = 0
    patience: int = 0
    answered: bool = True
    alike: bool = False
    synced: int | None = None
    untied: bool | None = None
    failure: str = ""
    schema: int = SCHEMA

    def member(self, function: Function) -> Member:
        """Return the vdisk as it was before step 1."""
        return next(member for member in self.members if member.function is function)

    @property
    def unsettled(self) -> float:
        """Return for how long a command whose answer was lost may still be carried out, seconds."""
        if self.step is None or self.answered:
            return 0.0
        return max(0.0, min(self.sent + self.patience - time.time() * 1000, self.patience) / 1000)

    @property
    def maybe_untied(self) -> bool:
        """Tell whether the copies may have been untied ever: what was written then is on the master alone.

        A step that was answered and is the last one is the first only when it was refused, or never sent.
        """
        beyond = self.step not in (None, Step.UNTIE)
        return bool(self.untied) or beyond or (self.step is Step.UNTIE and not self.answered)

    @property
    def maybe_synced(self) -> bool:
        """Tell whether the relationship on the array may be one that was made with -sync and never proven.

        A record of before has no `synced`: there an order whose answer was lost counts as such a one.
        """
        lost = self.step is Step.TIE and not self.answered
        return not self.alike and (self.synced is not None or lost)

    @classmethod
    def read(cls, found: object) -> Self:
        """Take a record as it was written; `Fault(BAD_REQUEST)` when it is none, or from a newer version."""
        if isinstance(found, dict) and found.get("schema") != SCHEMA:
            raise Fault(
                Code.BAD_REQUEST,
                f"The record of an expansion has schema {str(found.get('schema'))[:20]!r}, this version "
                f"knows {SCHEMA}: use the version that wrote it.",
            )
        return from_json(cls, found)


@dataclass(frozen=True)
class Hold:
    """A freeze: whether nothing has thawed it since it was asked for first, and until when it is leased.

    `until`: seconds of this machine's monotonic clock, counted from before the lease was asked for.
    """

    intact: bool
    until: float


class Guard(Protocol):
    """What the host does for an expansion; the calls raise `Fault`."""

    @property
    def uid(self) -> VolumeUid:
        """Of the volume that is meant: names change behind our back."""

    def write(self, record: Expansion) -> None:
        """Keep the record where it survives a reboot; return when it is on the disk."""

    def require_alone(self) -> None:
        """Raise unless this process alone may still change the volume; asked directly before each command."""

    def erase(self) -> None:
        """Forget the record: the picture on the array is whole."""

    def freeze(self) -> Hold:
        """Freeze the file system; asked again: say whether it was thawed meanwhile, and renew the lease.

        Not intact as well when the first freeze cannot be vouched for any more (another connection).
        """

    def thaw(self) -> None:
        """Let the file system be written again."""


@dataclass(frozen=True)
class Planned:
    """A command that is left, ready to paste, and why."""

    step: Step
    words: tuple[str, ...]
    command: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What is left to do: nothing while there are `questions`, which a person has to answer first.

    `untouched`: the array is as before step 1. No commands and no questions: the picture is whole.
    `repaired`: the array shows the volume as it is to be, tied again by somebody else. Whether the copies are
    alike it does not show: that is the word of who did it, and `commands` are for who cannot give it.
    `given_up`: the same at the size that it had before step 1. `gone`: neither of the two copies is on the
    array, which is the one that had them: a person may have the record forgotten.
    """

    commands: tuple[Planned, ...] = ()
    questions: tuple[str, ...] = ()
    untouched: bool = False
    repaired: bool = False
    given_up: bool = False
    gone: bool = False

    @property
    def whole(self) -> bool:
        """True when there is nothing to do and nothing to ask."""
        return not self.commands and not self.questions
