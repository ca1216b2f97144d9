"""Several jobs side by side, of which none keeps another: what keeps one is said of that one."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from instorage.operation import overlap
from instorage.wire.fault import Code, Fault
from nodeagent.operation import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nodeagent.operation.node import Operation

PASSING = frozenset({
    Code.ARRAY_UNREACHABLE, Code.ARRAY_SESSIONS, Code.ARRAY_BUSY, Code.OUTCOME_UNKNOWN, Code.TIMEOUT,
    Code.LOCK_TIMEOUT, Code.LOCK_LOST, Code.HELPER_BUSY, Code.HELPER_UNREACHABLE,
})  # fmt: skip
"""What is nobody's to mend here and ends by itself: tried again soon, however often it was tried in vain."""
_LOG = logging.getLogger(__name__)


def attempt_all(operation: Operation, failed: str, jobs: Mapping[str, Callable[[], None]]) -> list[Fault]:
    """Do every job, whatever one meets; return what kept those that were kept.

    `failed` is the sentence for one; the keys name what each is about: the same of one is not said again.
    """
    attempts = [functools.partial(_attempt, operation, failed, about, job) for about, job in jobs.items()]
    return [fault for fault in overlap(attempts) if fault]


def _attempt(operation: Operation, failed: str, about: str, job: Callable[[], None]) -> Fault | None:
    try:
        job()
    except Fault as fault:
        said = operation.node.trouble.failed(about, fault, operation.op)
        if said.anew:
            _LOG.warning("%s%s: %s", failed, said.times, fault, extra=journal.coded(fault))
        return fault
    except Exception as error:
        _LOG.exception("%s by a defect of the agent", failed)
        return Fault(Code.INTERNAL, f"A defect of the agent ({type(error).__name__}).")
    operation.node.trouble.over(about)
    return None
