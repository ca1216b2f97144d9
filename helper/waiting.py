"""Polling a cheap fact until a deadline: the only waiting there is, besides `select`."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], deadline: float, pause: float = 0.01) -> T:
    """Return what `look` returns as soon as it is true, or its last answer at `deadline` (monotonic s)."""
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(pause)
    return found
