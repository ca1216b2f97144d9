"""Which array has a volume when nothing here says it: all of them are asked at once, for its UID."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.operation.steps import Step, reached
from nodeagent.volume.inquiry import ask_all

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record, Records

ANSWER_SECONDS = 40.0  # of the 100 s that kubelet's call has
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """The array that has the volume, and the volume as that array has it."""

    array: Array
    volume: Volume


def find(operation: Operation, uid: VolumeUid, *, besides: str | None = None) -> Owner | None:
    """Return the owner, without waiting for further arrays once one has said so: no two have the same UID.

    None when every configured array says that it does not know it, `besides` one that has said so. Raises the
    fault of one that cannot be asked when no other is the owner: unknown is not «no».
    """
    operation.progress.say("asking the arrays whose the volume is")
    silent = None
    unknown = f"whose UID {uid} is stays unknown"
    answers = ask_all(
        operation, lambda one: one.find_volume_by_uid(uid), ANSWER_SECONDS, unknown, besides=besides
    )
    for array, answer in answers:
        if isinstance(answer, Fault):
            silent = silent or answer
        elif answer is not None:
            return Owner(array, answer)
    if silent is not None:
        raise silent
    return None


def followed(operation: Operation, record: Record, found: Owner) -> Record:
    """Write the record with the name that its array has in the configuration now, and return it."""
    now = found.array.name
    why = f"Volume {record.name} is on array {now}, which was {record.storage}: its record follows"
    return put(operation, dataclasses.replace(record, storage=now), why)


def put(operation: Operation, record: Record, why: str) -> Record:
    """Write a record that no call has asked for, and say why."""
    operation.node.records.put(record)
    reached(Step.AGENT_ADOPT_RECORDED)
    _LOG.warning("%s", why)
    return record


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
