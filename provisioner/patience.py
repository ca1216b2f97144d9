"""How long one waits after failures in a row: longer each time, out of step, as the server asks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_ASKED = 300.0  # seconds: what a server may ask for (Retry-After)


class Patience:
    """Seconds from `first` to `longest`, doubled at each `next`, a fifth more or less."""

    def __init__(self, first: float, longest: float, jitter: Callable[[], float] = random.random) -> None:
        self._first, self._longest = first, longest
        self._jitter = jitter
        self._seconds = first

    def reset(self) -> None:
        """Forget the failures: it went well."""
        self._seconds = self._first

    def next(self, asked: float = 0.0) -> float:
        """Return the seconds to wait now, at least those that the server `asked` for."""
        pause = self._seconds * (0.8 + 0.4 * self._jitter())
        self._seconds = min(self._seconds * 2, self._longest)
        return max(pause, min(asked, LONGEST_ASKED))
