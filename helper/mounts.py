"""Mounts as the kernel lists them, and the system calls that make and end them (mount(2), umount(2))."""

import contextlib
import ctypes
import os
import re
from dataclasses import dataclass

PROC = "/proc"
RDONLY, NOSUID, NODEV, REMOUNT, BIND = 1, 2, 4, 32, 4096  # <sys/mount.h>
OPTIONS = {
    "noexec": 8,
    "sync": 16,
    "dirsync": 128,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
    "strictatime": 1 << 24,
    "lazytime": 1 << 25,
}
_UMOUNT_NOFOLLOW = 8
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Row:
    """One line of mountinfo (proc(5)); `number` is the device's major:minor."""

    mount_id: int
    number: str
    root: str
    target: str
    options: tuple[str, ...]
    fs_type: str
    source: str
    super_options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Whether the mount, or the file system below it, takes no writes."""
        return "ro" in self.options or "ro" in self.super_options


def table(process: str = "self") -> list[Row]:
    """Return the mounts in the mount namespace of a process, oldest first."""
    with open(f"{PROC}/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return [_row(line) for line in lines]


def _row(line: str) -> Row:
    left, _, right = line.rstrip("\n").partition(" - ")
    fields, kind = left.split(" "), right.split(" ")
    root, target = (_plain(text) for text in fields[3:5])
    options, more = fields[5].split(","), kind[2].split(",")
    return Row(int(fields[0]), fields[2], root, target, tuple(options), kind[0], _plain(kind[1]), tuple(more))


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def everywhere(numbers: set[str]) -> list[str]:
    """Return where these devices are mounted in any mount namespace, with a process that sees it so."""
    seen: dict[str, str] = {}
    for process in os.listdir(PROC):
        if process.isdigit():
            with contextlib.suppress(OSError):
                seen.setdefault(os.readlink(f"{PROC}/{process}/ns/mnt"), process)
    found = []
    for process in seen.values():
        with contextlib.suppress(OSError):
            rows = [row for row in table(process) if row.number in numbers]
            found += [f"a mount on {row.target} (seen by process {process})" for row in rows]
    return found


def mount(source: str, target: str, fs_type: str, flags: int, data: str = "") -> None:
    """Mount (mount(2) says how); may hang."""
    words = [text.encode() or None for text in (source, target, fs_type)]
    if _libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None):
        raise _error()


def unmount(parent: int, name: str) -> None:
    """umount2(2) of the topmost mount on `name` in a directory, following no link; may hang.

    Changes the working directory: for a child only.
    """
    with contextlib.suppress(OSError):
        synced = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
        _libc.syncfs(synced)  # so that a fence that comes later loses nothing; errors show in the umount
        os.close(synced)
    os.fchdir(parent)
    if _libc.umount2(name.encode(), _UMOUNT_NOFOLLOW):
        raise _error()


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
