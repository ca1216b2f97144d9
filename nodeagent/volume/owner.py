"""Which array has a volume when nothing here says it: all of them are asked at once, for its UID."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Records

ANSWER_SECONDS = (
    40.0  # of the 100 s that kubelet's call has; a thread ends by the array client's own deadlines
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """The array that has the volume, and the volume as that array has it."""

    array: Array
    volume: Volume


def find(operation: Operation, uid: VolumeUid) -> Owner | None:
    """Return the owner, without waiting for further arrays once one has said so: no two have the same UID.

    None when every configured array says that it does not know it. Raises the fault of one that cannot be
    asked when no other is the owner: unknown is not «no».
    """
    operation.progress.say("asking the arrays whose the volume is")
    answers: queue.SimpleQueue[Owner | Fault | None] = queue.SimpleQueue()
    names = [storage.name for storage in operation.configuration.storage]
    for name in names:
        _begin(operation, name, uid, answers)
    deadline, silent = time.monotonic() + ANSWER_SECONDS, None
    for _ in names:
        try:
            answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            answer = _silent(uid)
        if isinstance(answer, Owner):
            return answer
        silent = silent or answer
    if silent is not None:
        raise silent
    return None


def _begin(
    operation: Operation, name: str, uid: VolumeUid, answers: queue.SimpleQueue[Owner | Fault | None]
) -> None:
    """Ask one array in a thread of its own, which gives an answer whatever comes."""

    def ask() -> None:
        try:
            array = operation.array(name)
            volume = array.find_volume_by_uid(uid)
            answers.put(None if volume is None else Owner(array, volume))
        except Fault as fault:
            answers.put(fault)
        except Exception as error:
            _LOG.exception("Array %s could not be asked by a defect of the agent", name)
            answers.put(Fault(Code.INTERNAL, f"Array {name} could not be asked ({type(error).__name__})."))

    try:
        threading.Thread(
            target=contextvars.copy_context().run, args=(ask,), name="owner", daemon=True
        ).start()
    except RuntimeError:
        answers.put(Fault(Code.INTERNAL, f"Array {name} could not be asked: no thread is to be had."))


def _silent(uid: VolumeUid) -> Fault:
    sentence = f"Not every array answered within {ANSWER_SECONDS:g} s: whose UID {uid} is stays unknown."
    return Fault(Code.ARRAY_UNREACHABLE, sentence, uid=uid)


def announce(configuration: Configuration, records: Records) -> None:
    """Say which recorded volumes are of an array that a configuration that came into force does not name."""
    gone: dict[str, list[str]] = {}
    for record in records.all():
        if not configured(configuration, record.storage):
            gone.setdefault(record.storage, []).append(record.name)
    for name, volumes in sorted(gone.items()):
        _LOG.warning(
            "Array %r is not in %s any more, and %d volumes are recorded as attached here from it (%s): if "
            "it was renamed they are found by their UID, else put its entry back until they are detached.",
            name, configuration.path, len(volumes), ", ".join(sorted(volumes)[:20]),
            extra={"code": Code.BAD_CONFIGURATION.value},
        )  # fmt: skip


def configured(configuration: Configuration, name: str) -> bool:
    """Say whether an array of exactly that name is in the configuration."""
    return any(storage.name == name for storage in configuration.storage)
