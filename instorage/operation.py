"""Which request is being worked on, and until when: carried by its log records and array commands.

The agent sets `current` when a call comes in; its logging handler turns the record's `op` into the journald
field INSTORAGE_OP. Threads that work for a request run in a copy of its context (`overlap`).
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

current: ContextVar[str] = ContextVar("operation", default="")
"""The request id, empty outside of a request."""


_until: ContextVar[float] = ContextVar("until", default=float("inf"))
_demand: ContextVar[Callable[[], None]] = ContextVar("demand", default=lambda: None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what is done inside of this block end after `seconds`, or earlier if it already must."""
    token = _until.set(min(_until.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(token)


def left(seconds: float) -> float:
    """Return how long a wait of at most `seconds` may take; zero or less when the request's time is over."""
    return min(seconds, _until.get() - time.monotonic())


@contextlib.contextmanager
def only_while(demand: Callable[[], None]) -> Iterator[None]:
    """Call `demand` directly before each changing command of this block; what it raises keeps that one here.

    «Directly»: when the connection is there and nothing is waited for any more. A block within another one
    adds its demand to the other's.
    """
    outer = _demand.get()

    def both() -> None:
        outer()
        demand()

    token = _demand.set(both)
    try:
        yield
    finally:
        _demand.reset(token)


def demand() -> None:
    """Raise what `only_while` wants raised before a changing command is sent."""
    _demand.get()()


def extra() -> dict[str, str]:
    """Return what a log call passes as `extra=`."""
    return {"op": current.get()}


def overlap(calls: Sequence[Callable[[], T]], *, width: int = 8) -> list[T]:
    """Run the calls at the same time, at most `width`, for the current request; results in their order.

    The first error is raised after all calls have ended. No thread is left behind.
    """
    if len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(width, len(calls)), thread_name_prefix="array") as pool:
        futures = [pool.submit(contextvars.copy_context().run, call) for call in calls]
    return [future.result() for future in futures]
