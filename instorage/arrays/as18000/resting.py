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
SMALL = 255  # the last number that every host and array writes alike; above, addressing is another
HIGHEST = 2047  # of a host (array-as18000.md 5.7)
CHOSEN = 5.0  # seconds until the mapping with a chosen number has been seen, or has failed


class RestingLuns:
    """What this process knows of a host's LUN numbers: in use (as last seen), and resting. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, dict[str, frozenset[int]]] = {}  # host -> volume -> numbers
        self._resting: dict[str, dict[int, float]] = {}  # host -> number -> until
        self._chosen: dict[str, dict[int, float]] = {}  # the same, of those that are being mapped now

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

        It is one that is neither resting nor known to be in use; the array refuses it if it is taken. Before
        the numbers of the kind that the host has come to their end, it is the one that has rested longest.
        """
        with self._lock:
            resting = self._still(self._resting, host)
            chosen = self._still(self._chosen, host)
            if not resting:
                return None
            used = {lun for numbers in self._used.get(host, {}).values() for lun in numbers}
            highest = SMALL if max(used, default=0) <= SMALL else HIGHEST
            fresh = set(range(highest + 1)) - used - chosen.keys() - resting.keys()
            rested = sorted((until, lun) for lun, until in resting.items() if lun <= highest)
            free = [lun for _, lun in rested if lun not in used and lun not in chosen]
            number = min(fresh, default=next(iter(free), None))
            if number is not None:
                chosen[number] = self._clock() + CHOSEN  # another thread chooses another one
            return number

    def _still(self, numbers: dict[str, dict[int, float]], host: str) -> dict[int, float]:
        """Return those of a host whose time is not over, and forget the others."""
        now = self._clock()
        numbers[host] = {lun: until for lun, until in numbers.get(host, {}).items() if until > now}
        return numbers[host]
