"""Taking over a volume that is mounted in a directory of ours without a record (the vendor's, a lost one)."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING

from nodeagent.operation.records import SCHEMA, Record
from nodeagent.operation.steps import Step, reached
from nodeagent.volume.host_object import own_host

if TYPE_CHECKING:
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Operation
    from nodeagent.operation.targets import DeviceTarget

_LOG = logging.getLogger(__name__)


def adopt(operation: Operation, uid: VolumeUid, target: DeviceTarget) -> Record | None:
    """Write the record of a volume that an array knows by that UID under the target's name, if one does.

    Raises what an array raises that cannot be asked: unknown is not «no».
    """
    for storage in operation.configuration.storage:
        array = operation.array(storage.name)
        operation.progress.say(f"asking array {array.name} for a volume without a record")
        volume = array.find_volume_by_uid(uid)
        if volume is None or volume.name != target.name:
            continue
        with operation.helper() as helper:
            host = own_host(operation, array, helper)
        record = Record(
            schema=SCHEMA,
            uid=uid,
            name=volume.name,
            storage=array.name,
            host=host.name,
            kind=volume.level.value,
            size=volume.size,
            read_only=False,
            boot_id=operation.node.boot_id,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            target=target.path,
        )
        operation.node.records.put(record)
        reached(Step.AGENT_ADOPT_RECORDED)
        _LOG.warning("Volume %s was mounted at %s without a record: taken over", volume.name, target.path)
        return record
    return None
