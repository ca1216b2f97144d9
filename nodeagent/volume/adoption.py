"""Records made or mended by what arrays say: none was there, it was lost, or its array was renamed."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.operation.records import Record
from nodeagent.volume import leftover, owner
from nodeagent.volume.host_object import own_host

if TYPE_CHECKING:
    from instorage.arrays.model import Host
    from instorage.wire.verbs import InspectReply
    from nodeagent.operation.node import Operation
    from nodeagent.operation.targets import DeviceTarget
    from nodeagent.volume.owner import Owner

_LOG = logging.getLogger(__name__)


def adopt(operation: Operation, here: InspectReply, target: DeviceTarget) -> Record | None:
    """Write the record of a mounted volume that an array knows by UID under the target's name, if one does.

    `here`: as the kernel has it, mounted on the target or in pods' directories that belong to it. Raises
    what an array raises that cannot be asked: unknown is not «no».
    """
    uid = here.uid
    if uid is None:
        return None
    found = owner.find(operation, uid)
    if found is None or found.volume.name != target.name:
        return None
    with operation.helper() as helper:
        host = own_host(operation, found.array, helper, found.volume)
    at = {mount.target: mount for mount in here.mounts}
    record = _made(operation, found, host)
    if target.path in at:
        record = dataclasses.replace(record, target=target.path, read_only=at[target.path].read_only)
    where = ", ".join(sorted(at))
    adopted = owner.put(
        operation, record, f"Volume {target.name} was mounted at {where} without a record: taken over"
    )
    _say_shared(found, host)
    return adopted


def _say_shared(found: Owner, host: Host) -> None:
    """Say that other hosts have the volume as well: the vendor's program maps it whoever has it."""
    mappings = found.array.mappings(found.volume.name)
    others = sorted(mapping.host for mapping in mappings if mapping.host_id != host.id)
    if others:
        _LOG.warning(
            "Volume %s is mapped to %s too: two nodes that write to one file system destroy it. End the pods "
            "of all but one node; it does not grow before.", found.volume.name, ", ".join(others),
        )  # fmt: skip


def recover(operation: Operation, found: Owner) -> Record | None:
    """Write anew a record that cannot be read; None when the array says twice that it maps nothing here.

    The volume's lock must be held.
    """
    array, volume = found.array, found.volume
    with operation.helper() as helper:
        host = own_host(operation, array, helper, volume)
    mapped = leftover.mapped_to(array, array.mappings(volume.name), host)
    if mapped is None and leftover.confirm_unmapped(array, volume, host) is None:
        return None
    why = f"The record of volume {volume.name} could not be read: made anew by what array {array.name} says"
    return owner.put(operation, _made(operation, found, host), why)


def follow(operation: Operation, record: Record) -> Record:
    """Return the record with the name that its array has in the configuration now.

    A UID is found on the same array whatever the configuration calls it. `Fault(BAD_CONFIGURATION)` when
    none has it, or one that may have been renamed cannot be asked. A name that means another array by now is
    found out by who asks that array (`takedown.look`).
    """
    if owner.configured(operation.configuration, record.storage):
        return record
    reason = "and no array there has it"
    try:
        found = owner.find(operation, record.uid)
    except Fault as fault:
        found, reason = None, f"and whether it was renamed is not known ({fault.sentence})"
    if found is None:
        raise _array_gone(operation, record, reason)
    return owner.followed(operation, record, found)


def _array_gone(operation: Operation, record: Record, reason: str) -> Fault:
    path = operation.configuration.path
    return Fault(
        Code.BAD_CONFIGURATION,
        f"Volume {record.name} (UID {record.uid}) is attached here from array {record.storage!r}, which is "
        f"not in {path} any more, {reason}: its device stays. Put the entry of that array back, under any "
        "name, until the volume is detached.",
        volume=record.name,
        array=record.storage,
    )


def _made(operation: Operation, found: Owner, host: Host) -> Record:
    return Record.of(found.volume, found.array.name, host, operation.node.boot_id)
