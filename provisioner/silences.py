"""Arrays that do not answer: a key of another array is not kept waiting for one of them again and again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays

LASTS = 15.0  # seconds for which an array that did not answer is not asked again for this
T = TypeVar("T")


class Silent(Exception):
    """An array cannot be asked; why, in a sentence."""


class Silences:
    """Thread-safe. For questions to arrays whose work is not what waits for the answer."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._guard = threading.Lock()
        self._silent: dict[str, tuple[float, str]] = {}

    def ask(self, array: str, question: Callable[[Array], T]) -> T:
        """Return the answer. `Silent`, by the array's own fault, or by one of a moment before."""
        sentence = self._last(array)
        if sentence:
            raise Silent(sentence)
        try:
            answer = question(self._arrays.get(array))
        except Fault as fault:
            with self._guard:
                self._silent[array] = (time.monotonic(), fault.sentence)
            raise Silent(fault.sentence) from fault
        with self._guard:
            self._silent.pop(array, None)
        return answer

    def _last(self, array: str) -> str:
        """Return what an array failed of lately; after a while one caller may ask it again."""
        with self._guard:
            since, sentence = self._silent.get(array, (0.0, ""))
            if not sentence or time.monotonic() - since < LASTS:
                return sentence
            self._silent[array] = (time.monotonic(), sentence)
            return ""
