"""One operation at a time: equal calls share one run, different calls of one volume take turns."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from nodeagent.flexvolume import Answer
    from nodeagent.progress import Listener, Progress

_LOOK = 0.5  # seconds between looks at whether a caller that joined is still there


class Flight:
    """An operation under way, with the answer that all of its callers will get."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.started = time.monotonic()
        self.answer: Answer | None = None
        self._done = threading.Event()

    def land(self, answer: Answer) -> None:
        """Give the answer to everybody who waits."""
        self.answer = answer
        self._done.set()

    def wait(self, listener: Listener) -> Answer | None:
        """Wait for the answer; None when the caller left before."""
        while not self._done.wait(_LOOK):
            if listener.gone():
                return None
        return self.answer


class Flights:
    """Operations by key: a second equal call joins the first."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flights: dict[Hashable, Flight] = {}

    def run(
        self,
        key: Hashable,
        progress: Progress,
        listener: Listener,
        work: Callable[[], Answer],
    ) -> Answer | None:
        """Do `work` (which does not raise), or join the run that has the same key.

        The one who runs goes on when its caller has left. None: this caller left while it waited for another.
        """
        with self._guard:
            flight = self._flights.get(key)
            own = flight is None
            if flight is None:
                flight = self._flights[key] = Flight(progress)
        flight.progress.listen(listener)
        if not own:
            return flight.wait(listener)
        try:
            answer = work()
        finally:
            with self._guard:
                del self._flights[key]
        flight.land(answer)
        return answer

    def oldest(self) -> float:
        """Return the age in seconds of the operation that runs longest, 0 when none does."""
        with self._guard:
            started = [flight.started for flight in self._flights.values()]
        return time.monotonic() - min(started) if started else 0.0


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
