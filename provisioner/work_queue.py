"""What is to be looked at: one entry for a key, worked on by one worker, later again after a failure.

Keys belong to groups (arrays). A group in trouble gets one worker at a time, so that an array that is dead
does not hold the workers that another one needs. Handing out a key costs the same whatever waits.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from provisioner.groups import Groups, Key

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Key", "WorkQueue", "delay_after"]

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0  # seconds, doubled at each failure
GIVE_UP = 15  # failures, after which only a change or the long look brings a key back
LONG_LOOK = 900.0
_LOG = logging.getLogger(__name__)


def delay_after(failures: int, spread: float) -> float:
    """Return the seconds until the next attempt; `spread` 0 to 1 moves it by a fifth each way."""
    if failures >= GIVE_UP:
        return LONG_LOOK
    return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1)) * (0.8 + 0.4 * spread))


class WorkQueue:
    """Thread-safe. `width`: workers that one healthy group may hold."""

    def __init__(
        self,
        group: Callable[[Key], str],
        width: int,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._group = group
        self._clock, self._jitter = clock, jitter
        self._changed = threading.Condition()
        self._groups = Groups(width)
        self._later: dict[Key, float] = {}
        self._alarm: list[tuple[float, Key]] = []
        self._running: dict[Key, tuple[str, float]] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._closed = False

    def add(self, key: Key) -> None:
        """Have a key looked at now: its object changed, so that earlier failures do not count."""
        with self._changed:
            self._failures.pop(key, None)
            self._later.pop(key, None)
            self._ready(key)
            self._changed.notify()

    def later(self, key: Key, seconds: float) -> None:
        """Have a key looked at again after `seconds`, unless it is before."""
        with self._changed:
            self._later[key] = self._clock() + seconds
            heapq.heappush(self._alarm, (self._later[key], key))
            self._changed.notify()

    def take(self, seconds: float) -> Key | None:
        """Return the next key, None after `seconds` without one, or when the queue is closed."""
        until = self._clock() + seconds
        with self._changed:
            while not self._closed:
                now = self._clock()
                self._wake(now)
                key = self._next(now)
                if key is not None:
                    return key
                if now >= until:
                    return None
                due = self._alarm[0][0] if self._alarm else until
                self._changed.wait(max(0.0, min(due, until) - now))
            return None

    def done(self, key: Key) -> None:
        """Say that a key needs nothing more until it changes."""
        with self._changed:
            self._failures.pop(key, None)
            self._leave(key)

    def failed(self, key: Key) -> float:
        """Say that a key must be tried again; return in how many seconds that will be."""
        with self._changed:
            failures = self._failures.get(key, 0) + 1
            self._failures[key] = failures
            delay = delay_after(failures, self._jitter())
            if not self._leave(key):
                self._later[key] = self._clock() + delay
                heapq.heappush(self._alarm, (self._later[key], key))
            return delay

    def trouble(self, key: Key, *, now: bool) -> None:
        """Say whether the array of a key that is being worked on answers."""
        with self._changed:
            if self._groups.trouble(self._running[key][0], now=now) and not now:
                self._changed.notify_all()  # there is room for more workers

    def oldest(self) -> float:
        """Return for how many seconds the slowest worker has been at its key."""
        with self._changed:
            return self._clock() - min((since for _, since in self._running.values()), default=self._clock())

    def close(self) -> None:
        """Hand out no more keys; what is under way is not touched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """True once nothing more is handed out."""
        return self._closed

    def _wake(self, now: float) -> None:
        while self._alarm and self._alarm[0][0] <= now:
            due, key = heapq.heappop(self._alarm)
            if self._later.get(key) == due:
                del self._later[key]
                self._ready(key)

    def _ready(self, key: Key) -> None:
        if key in self._running:
            self._again.add(key)
        else:
            self._groups.add(key, self._group_of(key))

    def _next(self, now: float) -> Key | None:
        while (found := self._groups.next()) is not None:
            key, group = found
            if self._group_of(key) == group:
                self._running[key] = (group, now)
                return key
            self._groups.release(group)  # it came to another array while it waited
            self._ready(key)
        return None

    def _group_of(self, key: Key) -> str:
        try:
            return self._group(key)
        except Exception:  # one strange object must not keep the workers from the others
            _LOG.exception("%s %s: its array cannot be told", *key)
            return ""

    def _leave(self, key: Key) -> bool:
        """Take a key off the workers' hands; True when it changed meanwhile and is ready again."""
        self._groups.release(self._running.pop(key)[0])
        again = key in self._again
        if again:
            self._again.discard(key)
            self._ready(key)
        self._changed.notify()  # one place is free, for one worker
        return again
