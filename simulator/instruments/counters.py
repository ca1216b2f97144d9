"""What was asked of the array: commands by name and one by one, connections, channels."""

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

REMEMBERED = 20_000


@dataclass(frozen=True)
class Served:
    """One command that was answered (or broken off: status -1): wall clock start, seconds, exit status."""

    line: str
    name: str
    start: float
    seconds: float
    status: int


class Counters:
    """Counts since the start or the last reset; thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._commands: Counter[str] = Counter()
        self._log: deque[Served] = deque(maxlen=REMEMBERED)
        self._events: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._peak: Counter[str] = Counter()

    def served(self, line: str, name: str, started: float, status: int) -> None:
        """Record a command; `started` is its wall clock start."""
        with self._lock:
            self._commands[name] += 1
            self._log.append(Served(line, name, started, round(time.time() - started, 6), status))

    def happened(self, event: str) -> None:
        """Count an event, such as a refused connection."""
        with self._lock:
            self._events[event] += 1

    def enter(self, thing: str) -> None:
        """Count one more connection, channel or command under way."""
        with self._lock:
            self._events[f"{thing}_opened"] += 1
            self._now[thing] += 1
            self._peak[thing] = max(self._peak[thing], self._now[thing])

    def leave(self, thing: str) -> None:
        """Count one less."""
        with self._lock:
            self._now[thing] -= 1

    def passed(self, thing: str) -> None:
        """Count one that is over at once."""
        self.enter(thing)
        self.leave(thing)

    def reset(self) -> None:
        """Begin anew; what is open stays counted as open."""
        with self._lock:
            self._commands.clear()
            self._log.clear()
            self._events.clear()
            self._peak = Counter(self._now)

    def report(self) -> dict[str, Any]:
        """Return all counts: `commands` by name, and opened/now/peak/refused of what comes and goes."""
        with self._lock:
            things = {
                thing: {
                    "opened": self._events[f"{thing}_opened"],
                    "now": self._now[thing],
                    "peak": self._peak[thing],
                    "refused": self._events[f"{thing}_refused"],
                }
                for thing in ("connections", "passwords", "channels", "running")
            }
            events = {k: v for k, v in self._events.items() if not k.endswith(("_opened", "_refused"))}
            return {
                "commands": dict(self._commands),
                "total": self._commands.total(),
                "events": events,
                **things,
            }

    def log(self) -> list[dict[str, Any]]:
        """Return the commands one by one, oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self._log]
