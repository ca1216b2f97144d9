"""What was read from an array, kept for a while."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, each for so many seconds; for several threads (an access is one of a dictionary)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """Return what was kept less than that ago."""
        found = self._kept.get(key)
        return found[1] if found is not None and time.monotonic() < found[0] else None

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on."""
        self._kept[key] = (time.monotonic() + self._seconds, value)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
