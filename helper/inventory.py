"""Inspect: what the kernel has of a volume, from sysfs and mountinfo; what could hang is done apart."""

import errno
import json
import os
import time

from helper import child, device, fc, filesystem, mounts, scsi
from helper import format as formatting
from helper.settings import Settings
from helper.target import spelled
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import InspectReply, InspectRequest, MountState, PathState

Way = scsi.Session | fc.Port
_LOOK = 5  # seconds
_ROOM, _HOLDERS = 40 << 10, 16  # bytes of a message for a volume's mounts, of 64 KiB; holders that are named


def inspect(request: InspectRequest, settings: Settings, *, more: bool) -> list[InspectReply]:
    """Return one reply for the volume asked for, or for each that is here or whose format was broken off."""
    if request.uid is None and not more:
        raise Fault(Code.BAD_REQUEST, "Inspect without a uid gives several replies: call it with «more».")
    begun = formatting.recorded()
    found = device.every(begun) if request.uid is None else [device.find(request.uid)]
    ways: dict[str, Way] = {session.at: session for session in scsi.sessions()}
    ways |= {port.at: port for port in fc.ports()}
    rows = mounts.table(numbers={number for volume in found for number in volume.numbers})
    # kubelet's own first: what else is mounted may be too much for a message
    here = _states(sorted(rows, key=lambda row: spelled(row.target, settings) is None), settings)
    return [_reply(volume, here, ways, begun) for volume in found] or [InspectReply()]


def _reply(
    volume: device.Volume, here: list[tuple[str, MountState]], ways: dict[str, Way], begun: list[str]
) -> InspectReply:
    paths = []
    for disk in volume.disks:
        way = ways.get(disk.hctl.rpartition(":")[0])
        seen = [getattr(way, end, None) for end in ("portal", "target", "initiator")]
        paths.append(PathState(disk.name, disk.hctl, disk.state, disk.size, *seen))
    numbers = volume.numbers
    return InspectReply(
        uid=VolumeUid.parse(volume.uid),
        device=volume.link if volume.top and os.path.exists(volume.link) else None,
        multipath=volume.map is not None,
        size=scsi.size(volume.top.name) if volume.top else 0,
        paths=tuple(paths),
        mounts=_fitting([state for number, state in here if number in numbers]),
        holders=tuple(volume.holders()[:_HOLDERS]),
        formatting=volume.uid in begun,
    )


def _fitting(states: list[MountState]) -> tuple[MountState, ...]:
    """Return as many as there is room for: a tenant has one mount more for each `subPath` of a pod."""
    kept, room = [], _ROOM
    for state in states:
        if (size := len(json.dumps(vars(state)))) < room:
            kept.append(state)
            room -= size
    return tuple(kept)


def _states(rows: list[mounts.Row], settings: Settings) -> list[tuple[str, MountState]]:
    """Return each mount with its device's number; its target as kubelet says it, where it is one."""
    looks = [row for row in rows if row.fs_type == "xfs"]
    jobs = [lambda: _unreadable(looks)] if looks else []
    dead = next(iter(child.gather(jobs, time.monotonic() + _LOOK, "A look")), [])
    found = []
    for row in rows:
        why = filesystem.stopped(row)
        if isinstance(dead, Exception) and row in looks:
            why = f"could not be looked at ({dead})"
        elif isinstance(dead, list) and row.target in dead:
            why = "was given up by the kernel after an error: it cannot be read"
        target = spelled(row.target, settings) or row.target
        found.append((row.number, MountState(target, row.fs_type, row.read_only, why)))
    return found


def _unreadable(rows: list[mounts.Row]) -> list[str]:
    """Return where an xfs was shut down: nothing but an attempt shows it."""
    found = []
    for row in rows:
        try:
            os.close(os.open(row.target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
        except OSError as error:
            found += [row.target] if error.errno == errno.EIO else []
    return found
