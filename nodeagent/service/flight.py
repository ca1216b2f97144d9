"""One operation at a time: equal calls share one run."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.operation.answer import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nodeagent.operation.answer import Answer
    from nodeagent.operation.progress import Listener, Progress

_DEFECT = "The node agent failed by a defect; its journal says which."
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
        ended: Callable[[Answer], None] = lambda answer: None,
    ) -> Answer | None:
        """Do `work`, or join the run that has the same key.

        The one who runs goes on when its caller has left. None: this caller left while it waited for another.
        `ended` is told the answer before anybody gets it, when nobody can join any more. What `work` raises,
        by a defect, the one who runs gets; who joined is told of it by an answer.
        """
        with self._guard:
            flight = self._flights.get(key)
            own = flight is None
            if flight is None:
                flight = self._flights[key] = Flight(progress)
        flight.progress.listen(listener)
        if not own:
            return flight.wait(listener)
        answer = failure(Fault(Code.INTERNAL, _DEFECT), progress.op)
        try:
            answer = work()
        finally:
            with self._guard:
                del self._flights[key]
            try:
                ended(answer)
            finally:
                flight.land(answer)
        return answer

    def running(self) -> list[tuple[Hashable, Progress]]:
        """Return the key and the progress of every operation under way, the oldest first."""
        with self._guard:
            return [(key, flight.progress) for key, flight in self._flights.items()]

    def oldest(self) -> float:
        """Return the age in seconds of the operation that runs longest, 0 when none does."""
        with self._guard:
            started = [flight.started for flight in self._flights.values()]
        return time.monotonic() - min(started) if started else 0.0
