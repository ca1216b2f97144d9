"""LUN numbers that were freed a moment ago and are not given again yet (safety.md 21).

The array gives the lowest free number at once. A host that has not noticed that the number changed its volume
would use the wrong data, so the next mapping to that host asks for another number while one rests.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instorage.arrays.model import Mapping

REST = 120.0  # seconds: longer than a detach and the next attach, their retries included
CHOSEN = 5.0  # seconds until the mapping with a chosen number has been seen, or has failed


class RestingLuns:
    """What this process knows of a host's LUN numbers: in use (as last seen), and resting. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, dict[str, frozenset[int]]] = {}  # host -> volume -> numbers
        self._resting: dict[str, dict[int, float]] = {}  # host -> number -> until

    def seen(self, mappings: Iterable[Mapping]) -> None:
        """Remember the numbers of mappings that the array has shown."""
        with self._lock:
            for mapping in mappings:
                numbers = frozenset(int(lun) for _, lun in mapping.luns)
                self._used.setdefault(mapping.host, {})[mapping.volume] = numbers

    def freed(self, volume: str, host: str) -> None:
        """Let the numbers of a mapping rest that has been removed."""
        with self._lock:
            numbers = self._used.get(host, {}).pop(volume, frozenset())
            until = self._clock() + REST
            self._resting.setdefault(host, {}).update(dict.fromkeys(numbers, until))

    def choose(self, host: str) -> int | None:
        """Return the number to ask for, None when the array may choose.

        It is one that is neither resting nor known to be in use; the array refuses it if it is taken.
        """
        with self._lock:
            now = self._clock()
            resting = {lun: until for lun, until in self._resting.get(host, {}).items() if until > now}
            self._resting[host] = resting
            if not resting:
                return None
            taken = resting.keys() | {lun for used in self._used.get(host, {}).values() for lun in used}
            number = next(lun for lun in range(len(taken) + 1) if lun not in taken)
            resting[number] = now + CHOSEN  # another thread chooses another one
            return number
