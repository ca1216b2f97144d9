"""Detach: nothing uses it, flush, the map, every path, gone (safety.md 10 to 13)."""

import errno
import functools
import os
import time

from helper import child, device, mounts, multipath, scsi
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import DetachReply, DetachRequest

_TWICE = 0.1  # seconds between two looks at what seems to be gone
_DEVICE = 20  # seconds for one device to be flushed or to be removed


def detach(request: DetachRequest, settings: Settings) -> DetachReply:
    """Remove the volume's map and disks; what is already gone is success."""
    settings.check(request.uid)
    deadline = time.monotonic() + request.wait_ms / 1000
    with hold(request.uid, request.op, deadline):
        volume = device.find(request.uid)
        if not volume.name:
            time.sleep(_TWICE)
            volume = device.find(request.uid)
        if not volume.name:
            return DetachReply()
        _unused(volume, deadline)
        removed = _remove_map(volume, deadline) + _remove_disks(volume, deadline)
        multipath.lost(list(removed), deadline)
    return DetachReply(removed)


def _unused(volume: device.Volume, deadline: float) -> None:
    """Raise `Fault(DEVICE_BUSY)` naming who uses it; flushes it when nobody does."""
    own = {volume.map.name} if volume.map else set()
    held = [one for disk in volume.disks for one in scsi.holders(disk.name) if one not in own]
    held += scsi.holders(volume.name)
    busy = [f"block device {name}" for name in held] + mounts.everywhere(volume.numbers)
    tops = [volume.map.name] if volume.map else [disk.name for disk in volume.disks]
    if not busy:
        jobs = [functools.partial(_flush, name) for name in tops]
        answers = child.gather(jobs, min(deadline, time.monotonic() + _DEVICE), "A flush", volume.uid)
        busy = [name for name, answer in zip(tops, answers, strict=True) if answer == "busy"]
        busy = [f"a program, or a mount that no process sees, on {name}" for name in busy]
        late = [answer for answer in answers if isinstance(answer, Fault)]
        if late and not busy:
            raise late[0]
    if busy:
        raise Fault(
            Code.DEVICE_BUSY,
            f"Volume {volume.uid} is still used by {', '.join(busy[:5])}: end that first.",
            uid=volume.uid,
            holder=busy[0],
        )


def _flush(name: str) -> str:
    """Write back what the kernel holds; "busy" when somebody has the device, "lost" when it takes no data."""
    try:
        node = scsi.exclusive(name)
    except OSError as error:
        return "busy" if error.errno == errno.EBUSY else "lost"
    try:
        os.fsync(node)
    except OSError:
        return "lost"  # every path is dead: nothing can be saved, and what is left must still go
    return ""


def _remove_map(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    if volume.map is None:
        return ()
    if not multipath.flush(volume.map, volume.uid, deadline):
        raise Fault(
            Code.DEVICE_BUSY,
            f"The map of volume {volume.uid} ({volume.map.name}) cannot be removed: a program has it open.",
            uid=volume.uid,
            holder=volume.map.name,
        )
    return (volume.map.name,)


def _remove_disks(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    """Delete every disk of the volume, all at once; one that has become another volume's is left alone."""
    names = sorted({disk.name for disk in (*volume.disks, *device.find(volume.uid).disks)})
    multipath.forget(volume.uid, names, deadline)
    soon = min(deadline, time.monotonic() + _DEVICE)
    jobs = [functools.partial(_remove, name, volume.uid, soon) for name in names]
    answers = child.gather(jobs, soon, "The removal of a disk", volume.uid)
    failed = [
        f"{name}: {answer}"
        for name, answer in zip(names, answers, strict=True)
        if answer not in ("gone", "other")
    ]
    if failed:
        raise Fault(
            Code.DEVICE_BUSY,
            f"Disks of volume {volume.uid} are left: {'; '.join(failed)}.",
            uid=volume.uid,
            holder=failed[0],
        )
    return tuple(name for name, answer in zip(names, answers, strict=True) if answer == "gone")


def _remove(name: str, uid: str, deadline: float) -> str:
    try:
        live = scsi.page83(name)
    except OSError:
        live = uid  # it says nothing any more: what it said when it was found must do
    if live not in (uid, ""):
        scsi.refresh(name)
        return "other"
    if not device.unused(name):
        return "still in use"
    return "gone" if scsi.delete(name, deadline) else "still there"
