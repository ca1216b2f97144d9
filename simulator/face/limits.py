"""The connection limits of the family: bursts, unauthenticated connections, connections in all, channels."""

import threading
import time
from dataclasses import dataclass

from simulator.instruments.counters import Counters


@dataclass(frozen=True)
class Limits:
    """The switches; 0 turns one off. Source: fact base, section 2.1(6), and OpenSSH's MaxSessions.

    burst: connections that may come at once; rate: more per second after these; unauthenticated: at a time;
    active: authenticated connections at a time; channels: per connection.
    """

    burst: int = 3
    rate: float = 15.0
    unauthenticated: int = 3
    active: int = 32
    channels: int = 10


class Gate:
    """Counts connections against the limits; thread safe."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self.limits = limits
        self._counters = counters
        self._lock = threading.Lock()
        self._tokens = float(limits.burst)
        self._filled = time.monotonic()
        self._unauthenticated = 0
        self._active = 0

    def arrive(self) -> bool:
        """Tell whether a new connection is let in; if so, `leave` must follow."""
        with self._lock:
            allowed = self._within_rate() and _within(self._unauthenticated, self.limits.unauthenticated)
            self._unauthenticated += allowed
        if not allowed:
            self._counters.happened("connections_refused")
        return allowed

    def authenticated(self) -> bool:
        """Count a connection as authenticated; False: one too many, to be closed, and it never leaves."""
        with self._lock:
            self._unauthenticated -= 1
            allowed = _within(self._active, self.limits.active)
            self._active += allowed
        if not allowed:
            self._counters.happened("connections_refused")
        return allowed

    def leave(self, *, authenticated: bool) -> None:
        """Count a connection that has ended."""
        with self._lock:
            if authenticated:
                self._active -= 1
            else:
                self._unauthenticated -= 1

    def _within_rate(self) -> bool:
        if not self.limits.burst:
            return True
        now = time.monotonic()
        self._tokens = min(self.limits.burst, self._tokens + (now - self._filled) * self.limits.rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _within(count: int, limit: int) -> bool:
    return not limit or count < limit
