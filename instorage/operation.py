"""Which request is being worked on: carried by every log record that is written for it.

The agent sets `current` when a call comes in; its logging handler turns the record's `op` into the journald
field INSTORAGE_OP. Threads that work for a request run in a copy of its context (`overlap`).
"""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

current: ContextVar[str] = ContextVar("operation", default="")
"""The request id, empty outside of a request."""


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
