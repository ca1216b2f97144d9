"""What an operation is doing now, and who wants to know."""

from __future__ import annotations

import itertools
import json
import threading
import time
from typing import TYPE_CHECKING, Protocol

from instorage.trail import Kind, Span, Trail

if TYPE_CHECKING:
    from instorage.wire.values import RequestId


FIRST = "taking the call in"
"""The phase until another is said."""


class Listener(Protocol):
    """A caller that waits for the answer of an operation."""

    def progress(self, text: str) -> None:
        """Take the current phase; must not block."""

    def gone(self) -> bool:
        """Say whether the caller has left."""


class Progress:
    """The current phase of one operation and since when; listeners are told when it changes.

    `remarks` are sentences that go with the answer whatever it is. `trail` keeps what each thing took.
    """

    def __init__(self, op: RequestId) -> None:
        self.op = op
        self.remarks: list[str] = []
        self.trail = Trail()
        self.began = time.monotonic()
        self._guard = threading.Lock()
        self._listeners: list[Listener] = []
        self._text = ""
        self._phases = [(FIRST, self.began)]  # what, and when it began (monotonic seconds)

    def say(self, phase: str) -> None:
        """Begin a phase («waiting for the array»)."""
        with self._guard:
            self._phases.append((phase, time.monotonic()))
            self._text = f"{phase}, since {time.strftime('%H:%M:%S')}"
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.progress(self._text)

    def spent(self) -> dict[str, int]:
        """Return the milliseconds that each phase took until now, in order; one that came twice, in sum."""
        spent: dict[str, float] = {}
        for phase in self._ended_phases():
            spent[phase.what] = spent.get(phase.what, 0) + (phase.ended - phase.began) * 1000
        return {what: round(took) for what, took in spent.items()}

    def timeline(self) -> dict[str, str]:
        """Return the journal's fields from which a timeline is drawn: when it began, and its spans.

        `began` in monotonic seconds; a span is [kind, what, begin, length, outcome], both in ms from `began`.
        """
        spans = [
            (kind, what, round((at - self.began) * 1000, 1), round((ended - at) * 1000, 1), outcome)
            for kind, what, at, ended, outcome in (*self._ended_phases(), *self.trail.spans)
        ]
        text = json.dumps(spans, ensure_ascii=False, separators=(",", ":"))
        dropped = {"dropped": str(self.trail.dropped)} if self.trail.dropped else {}
        return {"began": f"{self.began:.4f}", "spans": text} | dropped

    def _ended_phases(self) -> list[Span]:
        """Return every phase, as if the current one ended now."""
        with self._guard:
            phases = [*self._phases, ("", time.monotonic())]
        return [
            Span(Kind.PHASE.value, phase, began, ended)
            for (phase, began), (_, ended) in itertools.pairwise(phases)
        ]

    def listen(self, listener: Listener) -> None:
        """Tell `listener` the current phase and every later one."""
        with self._guard:
            self._listeners.append(listener)
            text = self._text
        if text:
            listener.progress(text)

    def abandoned(self) -> bool:
        """Say whether every caller has left."""
        with self._guard:
            listeners = tuple(self._listeners)
        return all(listener.gone() for listener in listeners)

    @property
    def text(self) -> str:
        """The current phase, for a person."""
        return self._text

    @property
    def current(self) -> tuple[str, float]:
        """The current phase, and for how many seconds it has lasted."""
        with self._guard:
            phase, began = self._phases[-1]
        return phase, time.monotonic() - began
