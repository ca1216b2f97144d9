"""Trouble that goes on: said once, and then summed up, however often a call or reconciliation meets it.

With an array gone for a night kubelet asks a thousand times an hour: the journal must stay one that is read.
"""

from __future__ import annotations

import math
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.wire.fault import Fault

PAUSE_SECONDS = 600.0  # the same sentence about the same thing is said again after this
MOST = 1000  # things that are remembered
MOST_SENTENCES = 20  # of one thing
_VARIES = re.compile(r"\(request [0-9a-z]+\)|\d+")  # in a sentence that is the same otherwise


@dataclass(frozen=True)
class Said:
    """How to say a failure. `anew`: it is to be said; else the record of request `op` says it already."""

    anew: bool
    times: str
    """For the sentence: empty, or how often it happened and since when."""
    op: str


@dataclass
class _Thing:
    since: str
    last: float
    failures: int = 0
    code: str = ""
    sentence: str = ""
    op: str = ""
    sentences: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Of each sentence when it was said last (monotonic seconds), and by which request."""


class Trouble:
    """What fails again and again; for several threads. Bounded: what is oldest is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._things: dict[str, _Thing] = {}

    def failed(self, thing: str, fault: Fault, op: str) -> Said:
        """Note that `thing` («waitforattach of vol1») failed in request `op`, and return how to say it.

        What did not happen for as long as the pause begins anew.
        """
        sentence = f"{fault.code.value} {_VARIES.sub('', fault.sentence)}"
        with self._guard:
            now = self._clock()
            known = self._things.pop(thing, None)
            if known is None or now - known.last >= PAUSE_SECONDS:
                known = _Thing(time.strftime("%Y-%m-%d %H:%M:%S"), now)
            known.last, known.failures = now, known.failures + 1
            known.code, known.sentence = fault.code.value, fault.sentence
            self._things[thing] = known  # at the end: the oldest comes first
            _bound(self._things, MOST)
            at, first = known.sentences.get(sentence, (-math.inf, op))
            known.op = first if now - at < PAUSE_SECONDS else op
            if now - at < PAUSE_SECONDS:
                return Said(anew=False, times="", op=first)
            known.sentences[sentence] = (now, op)
            _bound(known.sentences, MOST_SENTENCES)
            return Said(anew=True, times=_times(known), op=op)

    def lasting(self) -> list[dict[str, str]]:
        """Return what failed last and has not succeeded since, the latest last, as objects of texts.

        `since` is local time; `ago` the seconds since the last failure; `op` the request that says it.
        """
        with self._guard:
            now = self._clock()
            return [
                {
                    "thing": thing, "code": known.code, "sentence": known.sentence, "since": known.since,
                    "times": str(known.failures), "ago": f"{now - known.last:.0f}", "op": known.op,
                }
                for thing, known in self._things.items()
            ]  # fmt: skip

    def over(self, thing: str) -> str:
        """Forget the failures of `thing`, which succeeded; return how many there were, in words or empty."""
        with self._guard:
            known = self._things.pop(thing, None)
        return f", after {known.failures} failures since {known.since}" if known else ""


def _bound(table: dict[str, Any], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]


def _times(known: _Thing) -> str:
    return f" ({known.failures} times since {known.since})" if known.failures > 1 else ""
