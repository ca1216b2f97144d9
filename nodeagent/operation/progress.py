"""What an operation is doing now, and who wants to know."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from instorage.wire.values import RequestId


class Listener(Protocol):
    """A caller that waits for the answer of an operation."""

    def progress(self, text: str) -> None:
        """Take the current phase; must not block."""

    def gone(self) -> bool:
        """Say whether the caller has left."""


class Progress:
    """The current phase of one operation and since when; listeners are told when it changes.

    `remarks` are sentences that go with the answer whatever it is.
    """

    def __init__(self, op: RequestId) -> None:
        self.op = op
        self.remarks: list[str] = []
        self._guard = threading.Lock()
        self._listeners: list[Listener] = []
        self._text = ""
        self._phases: list[tuple[str, float]] = []  # what, and when it began (monotonic seconds)

    def say(self, phase: str) -> None:
        """Begin a phase («waiting for the array»)."""
        with self._guard:
            self._phases.append((phase, time.monotonic()))
            self._text = f"{phase}, since {time.strftime('%H:%M:%S')}"
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.progress(self._text)

    def spent(self) -> dict[str, int]:
        """Return the milliseconds that each phase took until now, in order.

        What preceded the first is not in it; a phase that came twice is counted together.
        """
        with self._guard:
            phases = [*self._phases, ("", time.monotonic())]
        spent: dict[str, int] = {}
        for (phase, began), (_, ended) in itertools.pairwise(phases):
            spent[phase] = spent.get(phase, 0) + round((ended - began) * 1000)
        return spent

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
