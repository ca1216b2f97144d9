"""When a new connection may be made: the arrays drop bursts, and lock out who guesses passwords."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE = 5.0  # after a refused password, doubled each time
LONGEST_PAUSE = 300.0
FIRST_WAIT = 0.25  # at a full array
LONGEST_WAIT = 4.0


class ConnectionLimiter:
    """Keeps `spacing` seconds between the connections of one process to one array.

    The clock is a parameter so that a test can see the pace without living through it.
    """

    def __init__(
        self,
        spacing: float,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._spacing = spacing
        self._clock, self._jitter = clock, jitter
        self._lock = threading.Lock()
        self._free_at = clock()

    def due(self, failures: int = 0) -> float:
        """Return the seconds until the next connection; after `failures` in a row with more jitter.

        Hundreds of nodes lose their connections at the same moment: they must not come back at the same one.
        """
        spread = min(self._spacing * 2**failures, 5.0) * self._jitter()
        with self._lock:
            now = self._clock()
            start = max(now, self._free_at) + (spread if failures else 0.0)
            self._free_at = start + self._spacing + spread
        return start - now


class Crowd:
    """The pauses of one client at an array that is full: each longer than the one before, at most 4 s.

    Not longer, since who came first would then be served last.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._longest = FIRST_WAIT / 2

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt."""
        self._longest = min(self._longest * 2, LONGEST_WAIT)
        return self._longest * (1.0 + self._jitter()) / 2


class Lockout:
    """Remembers a password that the array refused, so that it is not sent again and again.

    A different password is tried at once: it was mended in the file.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._password: str | None = None
        self._fault: Fault | None = None
        self._until = 0.0
        self._pause = FIRST_PAUSE

    def check(self, password: str) -> None:
        """Raise the array's earlier refusal of this password, while its pause lasts."""
        if self._fault is not None and password == self._password and self._clock() < self._until:
            raise again(self._fault)

    def refused(self, password: str, fault: Fault) -> None:
        """Remember that the array refused `password` with `fault`."""
        same = password == self._password
        self._pause = min(self._pause * 2, LONGEST_PAUSE) if same else FIRST_PAUSE
        self._password, self._fault = password, fault
        self._until = self._clock() + self._pause

    def passed(self) -> None:
        """Forget: the array took the password."""
        self._password, self._fault, self._pause = None, None, FIRST_PAUSE


def again(fault: Fault) -> Fault:
    """Return a copy to raise in another thread or later (a raised exception carries one traceback)."""
    return Fault(Code(fault.code), fault.sentence, **fault.fields)
