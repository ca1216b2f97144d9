"""unmountdevice: unmount the global directory, remove the device, unmap on the array.

kubelet does not repeat this call once the directory is no mount point. So what may stay behind is known here
before the unmount: by a record, which reconciliation works from. Without one nothing is unmounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import host_lock
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import adoption, leftover, owner, takedown

if TYPE_CHECKING:
    from instorage.wire.values import VolumeUid
    from instorage.wire.verbs import InspectReply
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record
    from nodeagent.operation.targets import DeviceTarget
    from nodeagent.volume.takedown import Whereabouts


def unmount_device(operation: Operation, target: DeviceTarget) -> None:
    """Take the volume of `target` down; success when nothing of it is left here.

    The volume is known by its mount; when that is gone already, by its ownership record. An array that cannot
    be asked does not keep the file system mounted; the device stays until it is known where it is mapped.
    """
    with operation.helper() as helper:
        host_lock.share(operation, helper)  # before the unmount: what is refused has changed nothing
        records = _recorded(operation, helper, target)
        places, silent = _looked(operation, records)
        operation.progress.say("unmounting")
        reply = helper.unmount(target.path)
        reached(Step.AGENT_DETACH_UNMOUNTED)
        takedown.say_lost(operation, target.name, lost=reply.lost)
        for place in places:
            takedown.take_down(operation, helper, place)
    if silent is not None:
        raise silent


def _looked(operation: Operation, records: tuple[Record, ...]) -> tuple[list[Whereabouts], Fault | None]:
    """Return where the volumes are mapped, and what to answer of those whose array cannot be asked now.

    Raises BAD_CONFIGURATION: a person has to act, and kubelet repeats the call only while the mount is there.
    """
    places, silent = [], None
    for record in (adoption.follow(operation, one) for one in records):
        try:
            places.append(takedown.look(operation, record))
        except Fault as fault:
            array = fault.fields.get("array", record.storage)  # another, when that one does not have it
            silent = Fault(
                fault.code,
                f"Volume {record.name} is unmounted; its device stays until array {array} says "
                f"where it is mapped, and is taken down then without a further call. {fault.sentence}",
                **fault.fields,
            )
    return places, silent


def _recorded(operation: Operation, helper: Helper, target: DeviceTarget) -> tuple[Record, ...]:
    """Return the records of what is mounted on the target, or was; one that is missing is made."""
    records = operation.node.records
    here = _mounted(operation, helper, target)
    if here is not None and here.uid is not None:
        record = records.get(here.uid) or adoption.adopt(operation, here, target)
        return (record,) if record else _of_nobody(operation, helper, here, here.uid, target)
    named = tuple(one for one in records.by_name(target.name) if one.target in (None, target.path))
    return named or _recovered(operation, helper, target)


def _mounted(operation: Operation, helper: Helper, target: DeviceTarget) -> InspectReply | None:
    """Return what the kernel has of the volume that is mounted on the target; usually it has a record."""
    for record in operation.node.records.by_name(target.name):
        here = helper.inspect(record.uid)
        if any(mount.target == target.path for mount in here.mounts):
            return here
    everything = helper.inspect_all()
    return next((one for one in everything if any(m.target == target.path for m in one.mounts)), None)


def _of_nobody(
    operation: Operation, helper: Helper, here: InspectReply, uid: VolumeUid, target: DeviceTarget
) -> tuple[Record, ...]:
    """Remove a volume that no array has, if every path says so; else raise NOT_OURS, and it is left."""
    mounts = [mount for mount in here.mounts if mount.target == target.path]
    try:
        leftover.remove(operation, helper, uid, target.name, mounts)
    except Fault as fault:
        known = owner.find(operation, uid)
        mend = "Add its array to instorage.yaml, or"
        if known is not None:
            back = naming.command(target.name, known.volume.name)
            mend = (
                f"Array {known.array.name} calls it «{known.volume.name}»; was it renamed there? {back}. Or"
            )
        raise Fault(
            Code.NOT_OURS,
            f"{target.path} has volume UID {uid}, which no configured array knows under the name "
            f"{target.name}: it stays mounted, and is left mapped. {mend} unmount and unmap it by hand if it "
            f"is none of ours. {fault.sentence}",
            uid=uid,
            target=target.path,
        ) from None
    if not here.paths:  # nothing was there to say that its LUN is gone
        raise Fault(
            Code.NOT_OURS,
            f"Volume UID {uid} had no path left and was removed from {target.path}; no configured array "
            "has it. If its array is not in instorage.yaml any more, unmap it there by hand.",
            uid=uid,
            target=target.path,
        )
    return ()


def _recovered(operation: Operation, helper: Helper, target: DeviceTarget) -> tuple[Record, ...]:
    """Make anew the records of this volume that cannot be read; raise when one may be its and is not known.

    Costs nothing while every record can be read.
    """
    made = []
    for uid in operation.node.records.unknown():
        try:
            found = owner.find(operation, uid)
        except Fault as fault:
            raise _may_be(uid, target, fault.code, fault.sentence) from None
        if found is None and leftover.anything(helper.inspect(uid)):
            raise _may_be(uid, target, Code.NOT_OURS, "No configured array knows that UID: add its array.")
        if found is not None and found.volume.name == target.name:
            made.append(adoption.recover(operation, found))
    return tuple(record for record in made if record)


def _may_be(uid: VolumeUid, target: DeviceTarget, code: Code, why: str) -> Fault:
    return Fault(
        code,
        f"The record of volume UID {uid} cannot be read, and that may be volume {target.name}: whether it is "
        f"still attached here is not known. {why}",
        volume=target.name,
        uid=uid,
    )
