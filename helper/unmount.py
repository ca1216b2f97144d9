"""Unmount: what is written is brought to the array, then the mount ended (safety.md 10, 12)."""

import contextlib
import time

from helper import device, journal, leftover, mounts, multipath
from helper.mounted import WAIT, call, not_ours
from helper.settings import Settings
from helper.target import Place, parse, walk
from helper.volume import hold
from instorage.wire import verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.values import VolumeUid

_ANSWER = 15  # seconds for the disks to say who they are


def unmount(request: verbs.UnmountRequest, settings: Settings) -> verbs.UnmountReply:
    """Sync and unmount what is on a target, if it is a volume of ours; nothing there is success."""
    target = parse(request.target, settings)
    uid, lost = None, False
    with contextlib.suppress(FileNotFoundError), walk(target) as place:
        while row := place.row():
            found = device.uid_of(row.number)
            if found == "":
                raise not_ours(row)
            with hold(found or "gone", request.op, time.monotonic() + WAIT):
                if place.row() != row:
                    continue  # it went, or another came, while the lock was waited for
                if found and request.unmapped:
                    leftover.require(found, settings, time.monotonic() + _ANSWER)
                lost |= _unmount(place, found or "")
            reached(Step.HELPER_UNMOUNT_UNMOUNTED)
            uid = VolumeUid.parse(found) if found else uid
    return verbs.UnmountReply(uid, lost)


def _unmount(place: Place, uid: str) -> bool:
    """Unmount; return whether writes were lost. Queueing that was ended for it goes on when it is refused."""
    ended = _end_queueing(uid) if uid else None
    try:
        lost = call(place, lambda: mounts.unmount(place.parent, place.target.name), "unmount", uid)
    except Fault as fault:
        if ended and fault.code is Code.DEVICE_BUSY:
            multipath.ask(f"restorequeueing map {ended.label}", time.monotonic() + _ANSWER)
        raise
    if lost:
        journal.lost(uid or "unknown", place.target.text)
    return bool(lost)


def _end_queueing(uid: str) -> multipath.Map | None:
    """Let what can never be written fail: no path will come back to a volume that was unmapped (fenced)."""
    volume, deadline = device.find(uid), time.monotonic() + _ANSWER
    if volume.map and device.unmapped(volume, deadline):
        multipath.ask(f"disablequeueing map {volume.map.label}", deadline)
        return volume.map
    return None
