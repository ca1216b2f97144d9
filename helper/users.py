"""Who uses a volume: the one answer for everything that would take a device away or use it a second time.

A mount in any mount namespace, a device built on it, a program that has it open, an exclusive claim that none
of these explains: each is named for people. Deadlines are monotonic seconds.
"""

import contextlib
import errno
import functools
import os
import time

from helper import child, mounts, multipath, scsi
from helper.device import Volume
from instorage.wire.fault import Code, Fault

_LET_GO = 3  # seconds for udev to let go of a device that was just closed, or found
_DEAD = (errno.ENXIO, errno.ENODEV, errno.ENOENT, errno.EIO, errno.ENOMEDIUM)


def users(volume: Volume, deadline: float, *, programs: bool = True, let_go: float = 0) -> list[str]:
    """Return who uses the volume, through its map or beside it; what cannot be found out is a `Fault`.

    `programs`: those count as well that have it open without a claim, as udev has a new device for a moment;
    `let_go`: for how many seconds they may, 0: a moment.
    """
    look = functools.partial(_users, volume, programs=programs, let_go=let_go)
    try:
        return child.apart(look, deadline, "The look for who uses it", volume.uid)
    except (Fault, OSError) as error:
        text = f"Who uses volume {volume.uid} cannot be found out, so it is left as it is: {error}"
        raise Fault(Code.DEVICE_BUSY, text, uid=volume.uid) from None


def busy(uid: str, found: list[str]) -> Fault:
    """Return the fault that names who uses a volume."""
    text = f"Volume {uid} is still used by {', '.join(found[:5])}: end that first."
    return Fault(Code.DEVICE_BUSY, text, uid=uid, holder=found[0])


def _users(volume: Volume, *, programs: bool, let_go: float) -> list[str]:
    """Look as `users` says; may hang."""
    claims = [one for name in volume.tops for one in _claimed(volume, name)]
    found = list(dict.fromkeys([*claims, *volume.holders()]))
    return found or (_opened(volume, let_go) if programs else [])


def _claimed(volume: Volume, name: str) -> list[str]:
    """Ask the kernel whether a device, or a part of it, is mounted or held.

    Only then, or when it is dead and cannot tell, all mounts are looked at for who it is: any user may make
    thousands in namespaces of his own, and must not keep a volume by that.
    """
    try:
        os.close(scsi.exclusive(name))
        return []
    except OSError as error:
        if error.errno not in (errno.EBUSY, *_DEAD):
            raise
        unseen = f"a program, or a mount that no process sees, on {multipath.label(name)}"
        return mounts.everywhere(volume.numbers) or [unseen] * (error.errno == errno.EBUSY)


def _opened(volume: Volume, let_go: float) -> list[str]:
    """Wait a moment for programs to let go; multipathd has each disk of a map open, and does not count."""
    maps = volume.maps

    def gone() -> bool:
        return not any(map(multipath.open_count, maps)) and not _programs({one.number for one in volume.bare})

    if child.until(gone, time.monotonic() + (let_go or _LET_GO)):
        return []
    numbers = {scsi.read(f"{scsi.SYS}/block/{name}/dev") for name in volume.tops}
    return _programs(numbers) or [f"a program that has {volume.tops[0]} open, and that /proc does not show"]


def _programs(numbers: set[str]) -> list[str]:
    """Return the programs that have one of these devices open, as far as /proc shows them."""
    found = []
    for process in filter(str.isdigit, os.listdir(mounts.PROC) if numbers else ()):
        names, at = [], f"{mounts.PROC}/{process}/fd"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # ended, or hidden
            names = os.listdir(at)
        for name in names:
            with contextlib.suppress(OSError):  # only below /dev: to look elsewhere may hang
                path = os.readlink(f"{at}/{name}")
                node = os.stat(f"{at}/{name}").st_rdev if path.startswith("/dev/") else 0
                if f"{os.major(node)}:{os.minor(node)}" in numbers:
                    found.append(f"a program that has {path} open (process {process})")
    return found
