"""waitforattach: map the volume to this host, bring its device up, have it verified (safety.md, Attach)."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import DetachRequest
from nodeagent.expansion import host_lock
from nodeagent.host import luns
from nodeagent.operation.records import Record
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import found_mapping, leftover, place, takedown, tenancy
from nodeagent.volume.connect import bring_up, rescan_request
from nodeagent.volume.host_object import own_host
from nodeagent.volume.usable import elsewhere, say_degraded, usable

if TYPE_CHECKING:
    from collections.abc import Collection

    from instorage.arrays.model import Host, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.verbs import InspectReply
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation
    from nodeagent.volume.connect import Attached

MAP_SECONDS = 70.0  # what one changing command may take at the array, its reading again included
_SURE = (  # the array said no: nothing was mapped
    Code.VOLUME_MAPPED_ELSEWHERE,
    Code.VOLUME_MISSING,
    Code.NOT_OURS,
    Code.ARRAY_REFUSED,
    Code.ARRAY_BUSY,
    Code.HOST_MISSING,
    Code.HOST_OBJECT,
    Code.ARRAY_AUTHENTICATION,
    Code.ARRAY_HOST_KEY,
    Code.ARRAY_ALGORITHMS,
)
_LOG = logging.getLogger(__name__)


def attach(operation: Operation, options: Options) -> Attached:
    """Attach the volume, or verify that it is attached; what this call began is taken back when it fails."""
    grants = tenancy.admit(operation, options)
    array = operation.array(options.storage)
    with operation.helper() as helper:
        host_lock.look(operation, helper)
        helper.begin()  # its start takes as long as the array's first answer
        operation.progress.say(f"asking array {array.name} for the volume")
        volume = usable(operation, array, options, grants)
        say_degraded(operation, volume, array.name)
        tenancy.confirm(grants, options, array.name, volume.uid)
        place.require_free(operation, helper, options, volume.uid)
        operation.progress.say("asking the helper for the initiator")
        host = own_host(operation, array, helper, volume)
        host_lock.share(operation, helper)
        here = helper.inspect(volume.uid)
        mapping = _mapping_before(operation, array, helper, volume, host, here, options)
        if mapping is not None:
            if not _recorded_now(operation, volume):
                found_mapping.admit(operation, array, helper, mapping)
            _record(operation, array, volume, host, options)
            # A growth was broken off here, and the pod that it was for may be gone.
            if 0 < here.size < volume.size:
                operation.progress.say("resizing the device")
                helper.rescan(rescan_request(operation, volume.uid, volume.size))
            return bring_up(operation, array, helper, volume, mapping, host)
        return _attach_anew(operation, array, helper, volume, host, options)


def _mapping_before(
    operation: Operation,
    array: Array,
    helper: Helper,
    volume: Volume,
    host: Host,
    here: InspectReply,
    options: Options,
) -> Mapping | None:
    """Return the mapping of a volume that is attached already; take down what is left of an older attach.

    When the kernel has nothing of the volume there is nothing to spare, and the array is not asked: a mapping
    without `-force` is refused by the array itself when another host has the volume.
    """
    if not leftover.anything(here):
        return None
    operation.progress.say(f"asking array {array.name} where the volume is mapped")
    mappings = array.mappings(volume.name)
    mine = leftover.mapped_to(array, mappings, host)
    mine = mine or leftover.confirm_unmapped(array, volume, host)
    others = [mapping.host for mapping in mappings if mapping is not mine and mapping.host != host.name]
    if mine is None:
        operation.progress.say("taking down what is left of an older attach")
        leftover.remove(operation, helper, volume.uid, volume.name, here.mounts)
    if others and not options.many_readers:
        raise elsewhere(volume, others)
    if mine is not None and not others:
        operation.node.attachments.note(volume)
    return mine


def _attach_anew(
    operation: Operation, array: Array, helper: Helper, volume: Volume, host: Host, options: Options
) -> Attached:
    records = operation.node.records
    before = records.get(volume.uid)
    known = before is not None or volume.uid in records.unknown()
    sure = _recorded_now(operation, volume)
    avoid = luns.present(operation.node.paths.sysfs)
    record = _record(operation, array, volume, host, options)
    mapping = _mapped(operation, array, helper, volume, host, options, avoid, known=known)
    doubtful = not (mapping.made or sure)
    if doubtful:
        doubted = before.doubted if before else None
        records.put(dataclasses.replace(record, boot_id="", doubted=doubted))
        reached(Step.AGENT_ATTACH_DOUBTED)
        _admit(operation, array, helper, record, mapping, known=known)
    if not options.many_readers:
        operation.node.attachments.note(volume)
    try:
        attached = bring_up(operation, array, helper, volume, mapping, host)
    except Fault as fault:
        helper.close()  # its lock too: an expansion that waits for it comes before the next who asks
        raise _rolled_back(operation, array, record, fault, mapping, known=known) from None
    if doubtful:
        records.put(record)
        reached(Step.AGENT_ATTACH_ADMITTED)
    return attached


def _mapped(
    operation: Operation,
    array: Array,
    helper: Helper,
    volume: Volume,
    host: Host,
    options: Options,
    avoid: Collection[int],
    *,
    known: bool,
) -> Mapping:
    """Map the volume; a record that was not there before goes when the array surely has not done it."""
    helper.assure_lock(MAP_SECONDS)
    operation.progress.say(f"mapping the volume on array {array.name}")
    try:
        mapping = array.map_volume(
            volume.name, host.name, share=options.many_readers, uid=volume.uid, avoid=avoid
        )
    except Fault as fault:
        if fault.code in _SURE and not known:
            operation.node.records.remove(volume.uid)
            reached(Step.AGENT_ATTACH_WITHDRAWN)
        if fault.code in (Code.HOST_MISSING, Code.HOST_OBJECT):
            array.forget()
        raise
    reached(Step.AGENT_ATTACH_MAPPED)
    return mapping


def _admit(
    operation: Operation, array: Array, helper: Helper, record: Record, mapping: Mapping, *, known: bool
) -> None:
    """Have a mapping admitted that this call may not have made; its record says of no boot that it did.

    So nothing takes it away without proof, whatever becomes of this call. What was mapped without a record
    has none again when it is not admitted.
    """
    try:
        found_mapping.admit(operation, array, helper, mapping)
    except Fault:
        if mapping.made is False and not known:
            operation.node.records.remove(record.uid)
            reached(Step.AGENT_ATTACH_REFUSED)
        raise


def _recorded_now(operation: Operation, volume: Volume) -> bool:
    """Say whether this boot has recorded the volume: a mapping that is there is of its own making."""
    record = operation.node.records.get(volume.uid)
    return record is not None and record.boot_id == operation.node.boot_id


def _record(operation: Operation, array: Array, volume: Volume, host: Host, options: Options) -> Record:
    """Write that the volume is ours; of an older record stays what tells of its past."""
    old = operation.node.records.get(volume.uid)
    record = dataclasses.replace(
        Record.of(volume, array.name, host, operation.node.boot_id),
        kind=(options.level or volume.level).value,
        read_only=options.read_only,
        many_readers=options.many_readers,
    )
    if old:
        kept = {name: getattr(old, name) for name in ("read_only", "created", "target", "growth")}
        record = dataclasses.replace(record, **kept)
    operation.node.records.put(record)
    reached(Step.AGENT_ATTACH_RECORDED)
    return record


def _rolled_back(
    operation: Operation, array: Array, record: Record, fault: Fault, mapping: Mapping, *, known: bool
) -> Fault:
    """Undo the mapping of an attach that failed, if it made it, and return the fault to answer with."""
    operation.progress.say("taking the failed attach back")
    try:
        with operation.helper() as helper:
            host_lock.share(operation, helper)
            helper.detach(DetachRequest(operation.op, record.uid, takedown.WAIT_MS))
            reached(Step.AGENT_ATTACH_TAKEN_BACK)
            if mapping.made:
                takedown.unmap(operation, array, helper, record, proven=True)
            elif mapping.made is False and not known:
                operation.node.records.remove(record.uid)  # as it was before: mapped by whoever it was
                reached(Step.AGENT_ATTACH_LEFT)
    except Fault as second:
        _LOG.warning("The attach could not be taken back now, it is tried again later: %s", second)
    return fault
