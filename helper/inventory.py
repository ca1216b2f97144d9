"""Inspect: what the kernel has of a volume, from sysfs and mountinfo only, so that it never hangs."""

import os

from helper import device, mounts, scsi
from helper.device import Volume
from helper.mounts import Row
from helper.scsi import Disk, Session
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import InspectReply, InspectRequest, MountState, PathState


def inspect(request: InspectRequest, *, more: bool) -> list[InspectReply]:
    """Return one reply for the volume asked for, or one for each InStorage volume that is here."""
    if request.uid is None and not more:
        raise Fault(Code.BAD_REQUEST, "Inspect without a uid gives several replies: call it with «more».")
    found = device.every() if request.uid is None else [device.find(request.uid)]
    rows, sessions = mounts.table(), {one.host: one for one in scsi.sessions()}
    return [_reply(volume, rows, sessions) for volume in found] or [InspectReply()]


def _reply(volume: Volume, rows: list[Row], sessions: dict[int, Session]) -> InspectReply:
    own = {volume.map.name} if volume.map else set()
    held = [one for disk in volume.disks for one in scsi.holders(disk.name) if one not in own]
    return InspectReply(
        uid=VolumeUid.parse(volume.uid),
        device=volume.link if volume.name and os.path.exists(volume.link) else None,
        multipath=volume.map is not None,
        size=volume.size,
        paths=tuple(_path(disk, sessions.get(int(disk.hctl.split(":")[0]))) for disk in volume.disks),
        mounts=tuple(
            MountState(row.target, row.fs_type, row.read_only) for row in rows if row.number in volume.numbers
        ),
        holders=tuple(dict.fromkeys(held + (scsi.holders(volume.map.name) if volume.map else []))),
    )


def _path(disk: Disk, session: Session | None) -> PathState:
    return PathState(
        name=disk.name,
        hctl=disk.hctl,
        state=disk.state,
        size=disk.size,
        portal=session.portal if session else None,
        target=session.target if session else None,
    )
