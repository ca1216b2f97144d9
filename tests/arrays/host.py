"""The host's part of an expansion, for tests: a record on disk, a freeze behind which an application waits.

The application is what matters: it writes to the volume as soon as nothing holds it back.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from instorage.arrays.expansion import Expansion, Hold, Step
from instorage.wire.record import to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.wire.values import VolumeUid

LEASE = 60.0


class Host:
    """A `Guard`. `before[step]` is called when the step is recorded and not yet sent.

    `write_data` stands for the application: called when a thaw lets it go on.
    """

    def __init__(
        self, record: Path, write_data: Callable[[str], None], uid: VolumeUid, lease: float = LEASE
    ) -> None:
        self.path, self.uid = record, uid
        self.before: dict[Step, Callable[[], None]] = {}
        self.after: dict[Step, Callable[[], None]] = {}
        self.lease = lease
        self.frozen = False
        self.intact = True
        self.calls: list[str] = []
        self.steps: list[Step] = []
        self.last: Expansion | None = None
        self._write_data = write_data

    @property
    def record(self) -> Expansion | None:
        """What a new process finds on the disk."""
        if not self.path.exists():
            return None
        return Expansion.read(json.loads(self.path.read_text()))

    def write(self, record: Expansion) -> None:
        if self.steps and record.step is not self.steps[-1]:
            self._happen(self.after, self.steps[-1])
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(to_json(record)))
        temporary.replace(self.path)
        self.last = record
        if record.step is not None and not record.answered and not record.failure:
            self.steps.append(record.step)
            self.calls.append(record.step)
            self._happen(self.before, record.step)

    def require_alone(self) -> None:
        pass

    def erase(self) -> None:
        self.path.unlink(missing_ok=True)

    def freeze(self) -> Hold:
        asked = time.monotonic()
        intact, self.intact = self.intact, True
        self.frozen = True
        self.calls.append("freeze")
        return Hold(intact, asked + self.lease)

    def thaw(self) -> None:
        if self.steps:
            self._happen(self.after, self.steps[-1])
        self.calls.append("thaw")
        self.frozen = False
        self._write_data("thawed.")

    def thawed_by_somebody(self) -> None:
        """The lease ran out, or an administrator's fsfreeze -u: the application goes on."""
        self.frozen, self.intact = False, False
        self._write_data("thawed too early.")

    def gone(self) -> None:
        """The process that waits for the helper is not there any more: what was frozen is thawed."""
        self.frozen = False
        self._write_data("after the end of the process.")

    def _happen(self, what: dict[Step, Callable[[], None]], step: Step) -> None:
        action = what.pop(step, None)
        if action is not None:
            action()


def killed() -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], Any]) -> int:
    """Do the work in a forked child that nothing survives of; return the signal that ended it, 0 if none."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])
