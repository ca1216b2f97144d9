"""LUN numbers that were freed a moment ago and are not given again yet (safety.md 21).

The array gives the lowest free number at once. A host that has not noticed that the number changed its volume
would use the wrong data, so the next mapping to that host asks for another number while one rests, and never
for one behind which its kernel has a disk.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.arrays.quarantine import ANSWER, HIGHEST, Quarantine

if TYPE_CHECKING:
    from collections.abc import Collection

    from instorage.arrays.model import Mapping

SMALL = 255  # the last number that every host and array writes alike; above, addressing is another
CHOSEN = 60.0  # seconds until the mapping with a chosen number has been seen, or has failed: a slow command


class RestingLuns:
    """What this process knows of a host's LUN numbers: in use (as last seen), and resting. Thread-safe.

    `quarantine` is shared by every client of this process, and outlives it; `array` is the name there.
    `answer`: seconds that the array may need for an unmapping.
    """

    def __init__(self, quarantine: Quarantine | None = None, array: str = "", answer: float = ANSWER) -> None:
        self._quarantine = quarantine or Quarantine()
        self._array, self._answer = array, answer
        self._lock = threading.Lock()
        self._used: dict[str, dict[str, frozenset[int]]] = {}  # host -> volume -> numbers
        self._chosen: dict[str, dict[int, float]] = {}  # host -> number that is being mapped now -> until

    def seen(self, mappings: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
        """Remember the numbers of mappings that the array has shown, and return these."""
        with self._lock:
            for mapping in mappings:
                numbers = frozenset(int(lun) for _, lun in mapping.luns)
                self._used.setdefault(mapping.host, {})[mapping.volume] = numbers
        return mappings

    def leaving(self, volume: str, host: str) -> float:
        """Note a mapping that is about to be removed, and let its numbers rest: a kill must not lose them.

        Returns what `answered` needs.
        """
        with self._lock:
            numbers = self._used.get(host, {}).get(volume, frozenset())
        return self._quarantine.unmapping(self._array, host, volume, numbers, self._answer)

    def answered(self, volume: str, host: str, before: float) -> None:
        """Know that the array has answered all that was sent since `leaving` returned `before`."""
        self._quarantine.answered(self._array, host, volume, before)

    def under_way(self, volume: str, host: str) -> float:
        """Return for how many seconds the array may still remove this mapping, were it made now."""
        return self._quarantine.under_way(self._array, host, volume)

    def freed(self, volume: str, host: str) -> None:
        """Let the numbers of a mapping rest that has been removed."""
        with self._lock:
            numbers = self._used.get(host, {}).pop(volume, frozenset())
        self._quarantine.rest(self._array, host, numbers)

    def choose(self, host: str, avoid: Collection[int] = ()) -> int | None:
        """Return the number to ask for, None when the array may choose.

        It is one that is neither resting nor known to be in use, nor to be avoided; the array refuses it if
        it is taken. Before the numbers of the kind that the host has come to their end, it is the one that
        has rested longest.
        """
        resting = self._quarantine.resting(self._array, host)
        with self._lock:
            chosen = self._being_mapped(host)
            if not resting and not avoid:
                return None
            used = {lun for numbers in self._used.get(host, {}).values() for lun in numbers} | {*avoid}
            highest = SMALL if max(used, default=0) <= SMALL else HIGHEST
            fresh = set(range(highest + 1)) - used - chosen.keys() - resting.keys()
            rested = sorted((until, lun) for lun, until in resting.items() if lun <= highest)
            free = [lun for _, lun in rested if lun not in used and lun not in chosen]
            number = min(fresh, default=next(iter(free), None))
            if number is not None:
                chosen[number] = self._quarantine.clock() + CHOSEN  # another thread chooses another one
            return number

    def _being_mapped(self, host: str) -> dict[int, float]:
        """Return the numbers of a host that were chosen a moment ago, and forget the others."""
        now = self._quarantine.clock()
        self._chosen[host] = {lun: until for lun, until in self._chosen.get(host, {}).items() if until > now}
        return self._chosen[host]
