"""A call that may take longer than one can wait for it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from provisioner.cluster import Away

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Running(threading.Thread, Generic[T]):
    """The call, under way or ended."""

    def __init__(self, call: Callable[[], T], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._call = call
        self._answer: T | None = None
        self._raised: BaseException | None = None

    def run(self) -> None:
        try:
            self._answer = self._call()
        except BaseException as error:
            self._raised = error  # it is raised to who asked

    def answer(self) -> T:
        if self._raised is not None:
            raise self._raised
        return self._answer  # type: ignore[return-value]  # it has ended without an error


class Attempt(Generic[T]):
    """Makes one call at a time, in a thread beside; for one caller.

    A request to the API server may take 35 s, an exec plugin for its credentials any time.
    """

    def __init__(self, call: Callable[[], T], name: str) -> None:
        self._call = call
        self._name = name
        self._late: _Running[T] | None = None

    def ask(self, seconds: float) -> T:
        """Return what the call returns, raise what it raises; `Away` when it takes longer than `seconds`.

        It then goes on, and the next `ask` waits for its end first; what it answers so late is not believed.
        """
        until = time.monotonic() + seconds
        if self._late is not None:
            self._end(self._late, until, seconds)
        self._late = running = _Running(self._call, self._name)
        running.start()
        self._end(running, until, seconds)
        return running.answer()

    def _end(self, running: _Running[T], until: float, seconds: float) -> None:
        running.join(max(0.0, until - time.monotonic()))
        if running.is_alive():
            raise Away(f"no answer within {seconds:.0f} s")
        self._late = None
