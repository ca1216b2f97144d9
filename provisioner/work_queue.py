"""What is to be looked at: one entry for a key, worked on by one worker, later again after a failure.

Keys belong to groups (arrays). A group in trouble gets one worker at a time, so that an array that is dead
does not hold the workers that another one needs.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0  # seconds, doubled at each failure
GIVE_UP = 15  # failures, after which only a change or the long look brings a key back
LONG_LOOK = 900.0


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
        self._width = width
        self._clock, self._jitter = clock, jitter
        self._changed = threading.Condition()
        self._ready: dict[Key, None] = {}  # in order of arrival
        self._later: dict[Key, float] = {}
        self._alarm: list[tuple[float, Key]] = []
        self._running: dict[Key, tuple[str, float]] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._troubled: set[str] = set()
        self._closed = False

    def add(self, key: Key) -> None:
        """Have a key looked at now: its object changed, so that earlier failures do not count."""
        with self._changed:
            self._failures.pop(key, None)
            self._later.pop(key, None)
            if key in self._running:
                self._again.add(key)
            else:
                self._ready[key] = None
            self._changed.notify()

    def take(self, seconds: float) -> Key | None:
        """Return the next key, None after `seconds` without one, or when the queue is closed."""
        until = self._clock() + seconds
        with self._changed:
            while not self._closed:
                now = self._clock()
                self._wake(now)
                key = self._next()
                if key is not None:
                    del self._ready[key]
                    self._running[key] = (self._group(key), now)
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
            group = self._running[key][0]
            (self._troubled.add if now else self._troubled.discard)(group)
            self._changed.notify_all()

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
                self._ready[key] = None

    def _next(self) -> Key | None:
        held: dict[str, int] = {}
        for group, _ in self._running.values():
            held[group] = held.get(group, 0) + 1
        for key in self._ready:
            group = self._group(key)
            if held.get(group, 0) < (1 if group in self._troubled else self._width):
                return key
        return None

    def _leave(self, key: Key) -> bool:
        """Take a key off the workers' hands; True when it changed meanwhile and is ready again."""
        del self._running[key]
        again = key in self._again
        if again:
            self._again.discard(key)
            self._ready[key] = None
        self._changed.notify_all()
        return again
