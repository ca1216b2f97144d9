"""One question to every configured array at once: one that is silent keeps nobody else's answer."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instorage.arrays.protocol import Array
    from nodeagent.operation.node import Operation

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


def ask_all(
    operation: Operation,
    question: Callable[[Array], T],
    seconds: float,
    unknown: str,
    *,
    besides: str | None = None,
) -> Iterator[tuple[Array, T | Fault]]:
    """Yield each array with its answer, or with the fault that keeps it, as they come.

    `besides`: the name of one that has been asked.
    Those that are silent for so many seconds come last, with ARRAY_UNREACHABLE that says what stays
    `unknown`; their threads end by the array client's own deadlines.
    """
    answers: queue.SimpleQueue[tuple[Array, T | Fault]] = queue.SimpleQueue()
    names = [storage.name for storage in operation.configuration.storage if storage.name != besides]
    silent = {name: operation.array(name) for name in names}
    for array in tuple(silent.values()):
        _begin(array, question, answers)
    deadline = time.monotonic() + seconds
    while silent:
        try:
            array, answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        del silent[array.name]
        yield array, answer
    for array in silent.values():
        sentence = f"Array {array.name} did not answer within {seconds:g} s: {unknown}."
        yield array, Fault(Code.ARRAY_UNREACHABLE, sentence, array=array.name)


def _begin(
    array: Array, question: Callable[[Array], T], answers: queue.SimpleQueue[tuple[Array, T | Fault]]
) -> None:
    """Ask one array in a thread of its own, which gives an answer whatever comes."""

    def ask() -> None:
        try:
            answers.put((array, question(array)))
        except Fault as fault:
            answers.put((array, fault))
        except Exception as error:
            _LOG.exception("Array %s could not be asked by a defect of the agent", array.name)
            answers.put((array, _unasked(array, type(error).__name__)))

    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(ask,), name="inquiry", daemon=True).start()
    except RuntimeError:
        answers.put((array, _unasked(array, "no thread is to be had")))


def _unasked(array: Array, why: str) -> Fault:
    return Fault(Code.INTERNAL, f"Array {array.name} could not be asked ({why}).", array=array.name)
