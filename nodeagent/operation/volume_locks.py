"""One operation at a time: different operations on one volume take turns."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.operation.progress import Progress


class VolumeLocks:
    """At most one operation a volume; waiting has a deadline and says for whom."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, str] = {}

    @contextmanager
    def held(self, name: str, holder: str, progress: Progress, deadline: float) -> Iterator[None]:
        """Hold the lock of volume `name`; at `deadline` (monotonic) LOCK_TIMEOUT names the holder."""
        with self._changed:
            while name in self._holders:
                other = self._holders[name]
                progress.say(f"waiting for {other}")
                if not self._changed.wait_for(lambda: name not in self._holders, deadline - time.monotonic()):
                    raise Fault(
                        Code.LOCK_TIMEOUT,
                        f"Volume {name} is still in use by {other}: it will be tried again.",
                        volume=name,
                        holder=other,
                    )
            self._holders[name] = holder
        try:
            yield
        finally:
            with self._changed:
                del self._holders[name]
                self._changed.notify_all()

    def busy(self, name: str) -> bool:
        """Say whether an operation has the volume."""
        with self._changed:
            return name in self._holders
