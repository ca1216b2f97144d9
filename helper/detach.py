"""Detach: nothing uses it, flush, the map, every disk, gone (safety.md 10 to 13)."""

import errno
import functools
import os
import time

from helper import child, device, iscsi, journal, multipath, scsi
from helper import format as formatting
from helper.identity import ours
from helper.settings import Settings
from helper.users import busy, users
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.verbs import DetachReply, DetachRequest

_TWICE = 0.1  # seconds between two looks at what seems to be gone
_DEVICE = 20  # seconds for one device to be flushed or to be removed
_FOUND = 15  # seconds at most for udev to have looked at a disk that was just found (6 on a loaded node)


def detach(request: DetachRequest, settings: Settings) -> DetachReply:
    """Remove the volume's map and disks; what is already gone is success."""
    deadline = time.monotonic() + request.wait_ms / 1000
    with hold(request.uid, request.op, deadline):
        volume = device.find(request.uid)
        if volume.top is None:
            time.sleep(_TWICE)
            volume = device.find(request.uid)
        known = request.uid.startswith((scsi.PREFIX, *settings.uid_prefixes))
        if volume.top is None:
            if known:  # another maker's may come back, and multipath is to know it then
                multipath.forget(request.uid, deadline)
            reached(Step.HELPER_DETACH_FORGOTTEN)
            if request.vanished:
                formatting.forget(request.uid)
        lost = bool(volume.top) and _flush_unused(volume, deadline, known=known)
        removed = _take_down(volume, deadline) if volume.top else ()
        if settings.logout:  # also after a Detach that was killed before it came to this
            iscsi.leave(min(deadline, time.monotonic() + _DEVICE))
            reached(Step.HELPER_DETACH_LOGGED_OUT)
    return DetachReply(removed, lost)


def _take_down(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    if volume.map and not multipath.flush(volume.map, volume.uid, deadline):
        raise busy(volume.uid, [f"a program that has {volume.map.name} open"])
    reached(Step.HELPER_DETACH_MAP_REMOVED)
    removed = _remove_disks(volume, deadline)
    reached(Step.HELPER_DETACH_DISKS_REMOVED)
    # Until multipathd has none of its paths any more; another volume's may have the name already.
    child.until(lambda: multipath.paths(volume.uid, deadline).isdisjoint(removed), deadline, 0.02)
    return ((volume.map.name,) if volume.map else ()) + removed


def _flush_unused(volume: device.Volume, deadline: float, *, known: bool) -> bool:
    """Write back what the kernel holds of a volume that nobody uses; return whether that was lost.

    Raises `Fault(DEVICE_BUSY)` naming who uses it. `known`: whose a map without a disk is, by the UID alone.
    """
    if not all([disk.ours for disk in volume.disks] or [known]):
        raise Fault(Code.NOT_OURS, f"{volume.uid} is no InStorage volume: it is left alone.", uid=volume.uid)
    soon = min(deadline, time.monotonic() + _DEVICE)
    if found := users(volume, soon):
        raise busy(volume.uid, found)
    tops = volume.tops
    answers = child.gather([functools.partial(_flush, name) for name in tops], soon, "A flush", volume.uid)
    if held := [name for name, answer in zip(tops, answers, strict=True) if answer == "busy"]:
        raise busy(volume.uid, [f"a program, or a mount that no process sees, on {name}" for name in held])
    if late := next((answer for answer in answers if isinstance(answer, Exception)), None):
        raise late
    reached(Step.HELPER_DETACH_FLUSHED)
    wrote = volume.maps or tops  # beside a map nobody wrote to a disk
    if lost := any(one == "lost" and name in wrote for name, one in zip(tops, answers, strict=True)):
        journal.lost(volume.uid)
    return lost


def _flush(name: str) -> str:
    """Write back what the kernel holds; "busy" when somebody has the device, "lost" when it takes no data."""
    try:
        node = scsi.exclusive(name)
        os.fsync(node)
    except OSError as error:  # dead: nothing can be saved, and what is left must still go
        return "busy" if error.errno == errno.EBUSY else "lost"
    return ""


def _remove_disks(volume: device.Volume, deadline: float) -> tuple[str, ...]:
    """Delete every disk of the volume, all at once; one that became another volume's is left alone."""
    names = sorted({disk.name for disk in (*volume.disks, *device.find(volume.uid).disks)})
    soon = min(deadline, time.monotonic() + _DEVICE)
    jobs: list[child.Job[object]] = [functools.partial(_remove, name, volume.uid, soon) for name in names]
    jobs.append(functools.partial(multipath.forget, volume.uid, soon))
    *answers, forgotten = child.gather(jobs, soon, "The removal of a disk", volume.uid)
    said = dict(zip(names, answers, strict=True))
    if left := [f"{name} ({answer})" for name, answer in said.items() if answer not in ("gone", "other")]:
        raise busy(volume.uid, left)
    if isinstance(forgotten, Exception):
        raise forgotten
    return tuple(name for name, answer in said.items() if answer == "gone")


def _remove(name: str, uid: str, deadline: float) -> str:
    try:
        return "gone" if remove(name, uid, deadline, programs=False) else "still there"
    except Fault as fault:
        if fault.code in (Code.WRONG_DEVICE, Code.NOT_OURS):
            return "other"  # the name, or the LUN, is another volume's by now
        raise


def remove(name: str, uid: str, deadline: float, *, programs: bool = True) -> bool:
    """Delete a disk that sysfs has as this volume's and that nobody uses; return whether it is gone.

    Held from the look to the deed, so that it is the same disk. May hang. Raises `Fault` NOT_OURS,
    WRONG_DEVICE for one that came under its name, DEVICE_BUSY. `programs` is what `users` says of it.
    """
    try:
        with scsi.held(name) as disk:
            if (found := ours(name)).uid != uid:
                text = f"Disk {name} is volume {found.uid or 'without a UID'} by now, and not {uid}."
                raise Fault(Code.WRONG_DEVICE, text, disk=name)
            let_go = min((deadline - time.monotonic()) / 2, _FOUND)
            if using := users(device.alone(name), deadline, programs=programs, let_go=let_go):
                raise busy(uid, using)
            return scsi.delete(disk, deadline)
    except FileNotFoundError:
        return True
