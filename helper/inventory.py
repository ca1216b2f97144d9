"""Inspect: what the kernel has of a volume, from sysfs and mountinfo only, so that it never hangs."""

import os

from helper import device, mounts, scsi
from helper import format as formatting
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import InspectReply, InspectRequest, MountState, PathState


def inspect(request: InspectRequest, *, more: bool) -> list[InspectReply]:
    """Return one reply for the volume asked for, or for each that is here or whose format was broken off."""
    if request.uid is None and not more:
        raise Fault(Code.BAD_REQUEST, "Inspect without a uid gives several replies: call it with «more».")
    found = device.every(formatting.recorded()) if request.uid is None else [device.find(request.uid)]
    rows, sessions = mounts.table(), {str(one.host): one for one in scsi.sessions()}
    return [_reply(volume, rows, sessions) for volume in found] or [InspectReply()]


def _reply(volume: device.Volume, rows: list[mounts.Row], sessions: dict[str, scsi.Session]) -> InspectReply:
    paths = []
    for disk in volume.disks:
        way = sessions.get(disk.hctl.partition(":")[0])
        seen = (way.portal, way.target) if way else ()
        paths.append(PathState(disk.name, disk.hctl, disk.state, disk.size, *seen))
    here = [row for row in rows if row.number in volume.numbers]
    return InspectReply(
        uid=VolumeUid.parse(volume.uid),
        device=volume.link if volume.top and os.path.exists(volume.link) else None,
        multipath=volume.map is not None,
        size=scsi.size(volume.top.name) if volume.top else 0,
        paths=tuple(paths),
        mounts=tuple(MountState(row.target, row.fs_type, row.read_only) for row in here),
        holders=tuple(volume.holders()),
        formatting=volume.uid in formatting.recorded(),
    )
