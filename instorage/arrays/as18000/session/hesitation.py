"""An array that hesitates: it says that it is not well for the moment, or shows nothing where something is.

The pauses between two looks, and between two attempts at a command that it did not do, lie here and nowhere
else. The vendor's newest driver asks three times, 5 s apart, before it believes an empty answer.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from instorage import operation, trail
from instorage.arrays.as18000.session.refusal import BUSY, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_AGAIN = 0.6  # seconds: two answers of the same moment are one answer
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between attempts, doubled each time, up to half less
FOR_AN_ANSWER = 0.25  # of the time: an answer that does not come in time may be of something done

T = TypeVar("T")


def sure(look: Callable[[], T]) -> T:
    """Return what is found; after an empty answer what a second look finds, some time later.

    The pause is never cut: when the call's time is over, the second look raises TIMEOUT.
    """
    found = look()
    if found:
        return found
    with trail.timed(trail.Kind.WAIT, "a second look at an empty answer"):
        time.sleep(LOOK_AGAIN)  # the pause is the point
    return look()


def patiently(attempt: Callable[[], T], seconds: float) -> T:
    """Return what an attempt returns; again while the array says that it is not well and did nothing.

    For at most `seconds`, or until the call's end if that is earlier, the answer to the last attempt
    included, lest it be lost; then it is the array's refusal.
    """
    until = time.monotonic() + operation.left(seconds) * (1 - FOR_AN_ANSWER)
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except Refused as refused:
            if refused.cmmvc not in BUSY or time.monotonic() + pause >= until:
                raise
        with trail.timed(trail.Kind.WAIT, "an array that is not well for the moment"):
            time.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, LONGEST_PAUSE)
