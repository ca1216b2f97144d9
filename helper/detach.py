"""Detach: nothing uses it, flush, the map, every disk, gone (safety.md 10 to 13)."""

import contextlib
import errno
import functools
import os
import time
from pathlib import Path

from helper import child, device, iscsi, mounts, multipath, scsi
from helper import format as formatting
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.verbs import DetachReply, DetachRequest

_TWICE = 0.1  # seconds between two looks at what seems to be gone
_LET_GO = 3  # seconds for udev to let go of a disk
_DEVICE = 20  # seconds for one device to be flushed or to be removed


def detach(request: DetachRequest, settings: Settings) -> DetachReply:
    """Remove the volume's map and disks; what is already gone is success."""
    settings.check(request.uid)
    deadline = time.monotonic() + request.wait_ms / 1000
    with hold(request.uid, request.op, deadline):
        volume = device.find(request.uid)
        if volume.top is None:
            time.sleep(_TWICE)
            volume = device.find(request.uid)
        if volume.top is None:
            multipath.forget(request.uid, deadline)
            reached(Step.HELPER_DETACH_FORGOTTEN)
            if request.vanished:
                formatting.forget(request.uid)
        removed = _take_down(volume, deadline) if volume.top else ()
        if settings.logout:  # also after a Detach that was killed before it came to this
            iscsi.leave(min(deadline, time.monotonic() + _DEVICE))
            reached(Step.HELPER_DETACH_LOGGED_OUT)
    return DetachReply(removed)


def _take_down(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    _unused(volume, deadline)
    reached(Step.HELPER_DETACH_FLUSHED)
    if volume.map and not multipath.flush(volume.map, volume.uid, deadline):
        raise _busy(volume, [f"a program that has {volume.map.name} open"])
    reached(Step.HELPER_DETACH_MAP_REMOVED)
    removed = _remove_disks(volume, deadline)
    reached(Step.HELPER_DETACH_DISKS_REMOVED)
    multipath.lost(removed, deadline)
    return ((volume.map.name,) if volume.map else ()) + removed


def _busy(volume: device.Volume, holders: list[str]) -> Fault:
    text = f"Volume {volume.uid} is still used by {', '.join(holders[:5])}: end that first."
    return Fault(Code.DEVICE_BUSY, text, uid=volume.uid, holder=holders[0])


def _unused(volume: device.Volume, deadline: float) -> None:
    """Raise `Fault(DEVICE_BUSY)` naming who uses the volume; flush it when nobody does."""
    if any(disk.vendor != scsi.VENDOR for disk in volume.disks):
        raise Fault(Code.NOT_OURS, f"{volume.uid} is no InStorage volume: it is left alone.", uid=volume.uid)
    if busy := volume.holders() + mounts.everywhere(volume.numbers):
        raise _busy(volume, busy)
    tops = [volume.map.name] if volume.map else [disk.name for disk in volume.disks]
    jobs = [functools.partial(_flush, name) for name in tops]
    answers = child.gather(jobs, min(deadline, time.monotonic() + _DEVICE), "A flush", volume.uid)
    if busy := [name for name, answer in zip(tops, answers, strict=True) if answer == "busy"]:
        raise _busy(volume, [f"a program, or a mount that no process sees, on {name}" for name in busy])
    if late := next((answer for answer in answers if isinstance(answer, Fault)), None):
        raise late
    let_go = time.monotonic() + _LET_GO
    if not (volume.map or child.until(lambda: not _opened(volume.numbers), let_go)):
        raise _busy(volume, [f"a program that has {tops[0]} or another of its disks open"])


def _flush(name: str) -> str:
    """Write back what the kernel holds; "busy" when somebody has the device, "lost" when it takes no data."""
    try:
        node = scsi.exclusive(name)
        os.fsync(node)
    except OSError as error:  # dead: nothing can be saved, and what is left must still go
        return "busy" if error.errno == errno.EBUSY else "lost"
    return ""


def _opened(numbers: set[str]) -> bool:
    """Return whether any process has a bare disk open; an open map the kernel itself keeps."""
    for at in Path(mounts.PROC).glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # only below /dev: to look elsewhere may hang
            found = os.stat(at).st_rdev if os.readlink(at).startswith("/dev/") else 0
            if f"{os.major(found)}:{os.minor(found)}" in numbers:
                return True
    return False


def _remove_disks(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    """Delete every disk of the volume, all at once; one that became another volume's is left alone."""
    names = sorted({disk.name for disk in (*volume.disks, *device.find(volume.uid).disks)})
    soon = min(deadline, time.monotonic() + _DEVICE)
    jobs = [functools.partial(_remove, name, volume.uid, soon) for name in names]
    jobs.append(functools.partial(multipath.forget, volume.uid, soon))
    *answers, forgotten = child.gather(jobs, soon, "The removal of a disk", volume.uid)
    said = dict(zip(names, answers, strict=True))
    if left := [f"{name} ({answer})" for name, answer in said.items() if answer not in ("gone", "other")]:
        raise _busy(volume, left)
    if isinstance(forgotten, Exception):
        raise forgotten
    return tuple(name for name, answer in said.items() if answer == "gone")


def _remove(name: str, uid: str, deadline: float) -> str:
    try:
        live = scsi.page83(name)
    except OSError:
        live = ""  # it says nothing any more: what it said when it was found must do
    disk = scsi.disk(name)
    if live not in (uid, "") and disk and disk.uid == live:
        return "other"  # the name, or the LUN, is another volume's by now
    if not device.unused(name):
        return "in use"
    return "gone" if scsi.delete(name, deadline) else "still there"
