"""Loop devices over sparse files, by ioctl: attach, find, detach, take over a changed size.

The guest side: standard library only.
"""

import errno
import fcntl
import os
from pathlib import Path

SET_FD, CLR_FD, SET_CAPACITY, GET_FREE = 0x4C00, 0x4C01, 0x4C07, 0x4C82  # linux/loop.h
ATTEMPTS = 16


def attached(file: Path) -> Path | None:
    """Return the loop device that a file is attached to, if it is."""
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if backing.read_text().rstrip("\n") == str(file):
            return Path("/dev") / backing.parent.parent.name
    return None


def attach(file: Path) -> Path:
    """Attach a file to a free loop device (or return the one it has); raises OSError."""
    existing = attached(file)
    if existing is not None:
        return existing
    backing = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(ATTEMPTS):
            device = _free()
            if _claimed(device, backing):
                return device
    finally:
        os.close(backing)
    raise OSError(errno.EBUSY, f"no loop device could be had for {file}")


def detach(file: Path) -> None:
    """Detach a file's loop device, if it has one."""
    device = attached(file)
    if device is not None:
        _ioctl(device, CLR_FD, 0)


def take_size(file: Path) -> None:
    """Make the loop device of a file as large as the file is now."""
    device = attached(file)
    if device is not None:
        _ioctl(device, SET_CAPACITY, 0)


def _free() -> Path:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return Path(f"/dev/loop{fcntl.ioctl(control, GET_FREE)}")
    finally:
        os.close(control)


def _claimed(device: Path, backing: int) -> bool:
    """Set the device's file; False when another process was faster."""
    try:
        _ioctl(device, SET_FD, backing)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def _ioctl(device: Path, request: int, argument: int) -> None:
    descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, request, argument)
    finally:
        os.close(descriptor)
