"""What a request did and how long each thing took: spans, of which `instoragectl trace` draws a timeline.

The agent follows one trail a request; whoever works for it (the array's client, the helper's) adds to it by
`timed`, also from threads that run in a copy of the request's context. Outside of a request nothing is kept.
"""

from __future__ import annotations

import contextlib
import threading
import time
from contextvars import ContextVar
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 500  # spans of one request; what comes then is counted
LONGEST = 200  # characters of a name or an outcome


class Kind(StrEnum):
    """What took the time."""

    PHASE = "phase"  # a part of a call; those of one call follow each other without a gap
    COMMAND = "command"  # one command of an array
    VERB = "verb"  # one order to the helper
    PROBE = "probe"  # a look at the SAN network
    WAIT = "wait"  # nothing was done: it says what for


class Span(NamedTuple):
    """One thing that took time; `began` and `ended` in monotonic seconds, which all processes share."""

    kind: str
    what: str
    began: float
    ended: float
    outcome: str = ""


class Trail:
    """The spans of one request; for several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._spans: list[Span] = []
        self.dropped = 0
        """How many were not kept."""

    def add(self, span: Span) -> None:
        """Keep a span that has ended."""
        with self._guard:
            if len(self._spans) < MOST:
                self._spans.append(span)
            else:
                self.dropped += 1

    @property
    def spans(self) -> tuple[Span, ...]:
        """What was kept, by when it began."""
        with self._guard:
            return tuple(sorted(self._spans, key=lambda span: span.began))


_followed: ContextVar[Trail | None] = ContextVar("trail", default=None)


@contextlib.contextmanager
def follow(trail: Trail) -> Iterator[None]:
    """Let what is timed within this block be kept in `trail`."""
    token = _followed.set(trail)
    try:
        yield
    finally:
        _followed.reset(token)


class Timing:
    """A span under way; whoever knows how it ends says it in `outcome`."""

    outcome = ""


@contextlib.contextmanager
def timed(kind: Kind, what: str) -> Iterator[Timing]:
    """Keep how long the block took, whatever it ends in; a fault's code is its outcome if it says none."""
    timing, began = Timing(), time.monotonic()
    try:
        yield timing
    except Exception as error:
        timing.outcome = timing.outcome or str(getattr(error, "code", type(error).__name__))
        raise
    finally:
        trail = _followed.get()
        if trail is not None:
            span = Span(kind.value, what[:LONGEST], began, time.monotonic(), timing.outcome[:LONGEST])
            trail.add(span)
