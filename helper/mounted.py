"""What is mounted on a target: found, judged before it is handed out, looked at again after each change."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable

from helper import child, device, filesystem, mounts
from helper.target import Place, Target, walk
from instorage.wire.fault import Code, Fault

WAIT = 30  # seconds for a volume's lock, a mount, an unmount


def volume_on(target: Target, stack: contextlib.ExitStack, uid: str = "") -> tuple[Place, mounts.Row, str]:
    """Hold a target on which the whole of a volume (`uid`) is mounted, with that mount and the UID."""
    with contextlib.suppress(FileNotFoundError):
        place = stack.enter_context(walk(target))
        row = place.row()
        found = device.uid_of(row.number) if row and row.root == "/" else None
        if row and found and uid in ("", found):
            return place, row, found
    text = f"{f'Volume {uid} is not' if uid else 'No volume is'} mounted on {target.text}."
    raise Fault(Code.NOT_OURS, text, target=target.text)


def hand_out(place: Place, row: mounts.Row, uid: str, *, read_only: bool) -> None:
    """Raise `Fault(FILE_SYSTEM)` for a file system that the kernel has stopped, or that takes no writes."""
    call(place, lambda: os.close(filesystem.opened(place, row)), "a look at what is mounted", uid)
    said = filesystem.stopped(row)
    if said and not (read_only and "shutdown" not in row.super_options):
        text = f"Volume {uid} on {row.target} {said}: see the kernel's log. End the pods that use it, so "
        raise Fault(Code.FILE_SYSTEM, f"{text}that its file system is checked.", uid=uid, target=row.target)
    if row.read_only and not read_only:
        text = f"Volume {uid} is mounted read-only on {row.target} and asked for read-write. If the pod that "
        text += "came first did not want it so, the kernel found an error (see its log): end the pods that "
        text += "use it; else let both ask for the same."
        raise Fault(Code.FILE_SYSTEM, text, uid=uid, target=row.target)


def prove(place: Place, uid: str, wanted: Callable[[mounts.Row], bool]) -> None:
    """Leave the target as it was unless what is there now is what was wanted."""
    row = place.seen()
    if row is None or not wanted(row):
        call(place, lambda: mounts.unmount(place.parent, place.target.name), "unmount", uid)
        text = f"What came up on {place.target.text} is not volume {uid} as asked for: unmounted again."
        raise Fault(Code.FILE_SYSTEM, text, uid=uid, target=place.target.text)


def flags(options: Iterable[str], *, read_only: bool) -> int:
    """Return the flags of mount(2) for options of the table; nosuid and nodev are always there."""
    always = mounts.NOSUID | mounts.NODEV | (mounts.RDONLY if read_only else 0)
    return always | sum({mounts.OPTIONS.get(option, 0) for option in options})  # a bit each


def mount_at(place: Place, source: str, kind: str, flags: int, data: str = "") -> None:
    """Mount on what is at the target now; may hang."""
    mounts.mount(source, f"/proc/self/fd/{place.open()}", kind, flags, data)


def not_ours(row: mounts.Row) -> Fault:
    """Return the fault of a target that something else is mounted on."""
    text = f"On {row.target} is a mount of {row.source} ({row.fs_type}), not of this volume: end it by hand."
    return Fault(Code.NOT_OURS, text, target=row.target, source=row.source)


def call(place: Place, job: child.Job[child.T], what: str, uid: str, seconds: float = WAIT) -> child.T:
    """Do system calls in a child; their error becomes a sentence."""
    try:
        return child.apart(job, time.monotonic() + seconds, f"{what} on {place.target.text}", uid)
    except OSError as error:
        code = Code.DEVICE_BUSY if error.errno == errno.EBUSY else Code.FILE_SYSTEM
        text = f"{what} on {place.target.text} failed ({error.strerror}): see the kernel's log."
        raise Fault(code, text, target=place.target.text) from None
