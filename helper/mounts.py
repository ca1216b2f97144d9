"""Mounts as the kernel lists them, and the system calls that make and end them (mount(2), umount(2))."""

import contextlib
import ctypes
import errno
import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from helper.scsi import MIPS, descriptor

PROC = "/proc"
RDONLY, NOSUID, NODEV, REMOUNT, BIND = 1, 2, 4, 32, 4096  # <sys/mount.h>
OPTIONS = {"noexec": 8, "sync": 16, "dirsync": 128, "noatime": 1024, "nodiratime": 2048}
OPTIONS |= {"relatime": 1 << 21, "strictatime": 1 << 24, "lazytime": 1 << 25}
_NO_WRITES = {"ro", "emergency_ro", "shutdown"}  # the latter two: ext4 after an error, since Linux 6.15
_UMOUNT_NOFOLLOW = 8
_CALLS = 428 + 5000 * MIPS  # open_tree, move_mount; 442 mount_setattr
_EMPTY_PATH = 0x1000
_CLONE = _EMPTY_PATH | os.O_CLOEXEC | 1  # OPEN_TREE_CLONE
libc = ctypes.CDLL(None, use_errno=True)


class Row(NamedTuple):
    """One line of mountinfo (proc(5)); `number` is the device's major:minor."""

    mount_id: int
    number: str
    root: str
    target: str
    options: list[str]
    fs_type: str
    source: str
    super_options: list[str]
    peers: frozenset[str] = frozenset()
    """`shared:N`: the peer group that it belongs to; `master:N`: the one that it follows (proc(5))."""

    @property
    def read_only(self) -> bool:
        """Whether the mount, or the file system below it, takes no writes."""
        return not _NO_WRITES.isdisjoint((*self.options, *self.super_options))

    def goes_with(self, other: "Row") -> bool:
        """Whether an unmount of `other` is carried on to it: it is in that one's peer group or follows it."""
        groups = {one[7:] for one in other.peers if one.startswith("shared:")}
        return not self.peers.isdisjoint(f"{how}:{one}" for how in ("shared", "master") for one in groups)


def table(process: str = "self", numbers: set[str] | None = None) -> list[Row]:
    """Return the mounts in the mount namespace of a process, oldest first; of some devices alone."""
    # newline: in mount paths the kernel escapes \n, not \r, and any user may mount in a namespace of his own
    path = f"{PROC}/{process}/mountinfo"
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        return [_row(line) for line in lines if numbers is None or line.split(" ", 3)[2] in numbers]


def _row(line: str) -> Row:
    left, _, right = line.rstrip("\n").partition(" - ")
    fields, (kind, source, more) = left.split(" "), right.split(" ", 2)
    texts = (*fields[3:5], source)
    root, target, source = (re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), text) for text in texts)
    options, peers = fields[5].split(","), frozenset(fields[6:])
    return Row(int(fields[0]), fields[2], root, target, options, kind, source, more.split(","), peers)


def everywhere(numbers: set[str]) -> list[str]:
    """Return where these devices are mounted in any mount namespace, each with a process that sees it so."""
    found: dict[str, str] = {}
    for process, _, row in seen(numbers):
        found.setdefault(row.target, f"a mount on {row.target} (seen by process {process})")
    return list(found.values())


def seen(numbers: set[str]) -> Iterator[tuple[str, bool, Row]]:
    """Return the mounts of these devices in every mount namespace: who sees each, whether that is ours."""
    spaces: dict[str, list[str]] = {}
    for process in (*filter(str.isdigit, os.listdir(PROC)), "self"):
        with contextlib.suppress(OSError):
            spaces.setdefault(os.readlink(f"{PROC}/{process}/ns/mnt"), []).append(process)
    for processes in spaces.values():
        for process in processes:
            with contextlib.suppress(OSError):  # it has ended, and another may still see the same
                yield from ((process, "self" in processes, row) for row in table(process, numbers))
                break


def mount(source: str, target: str, fs_type: str, flags: int, data: str = "") -> None:
    """Mount (mount(2) says how); may hang."""
    words = [text.encode() or None for text in (source, target, fs_type)]
    checked(libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None))


def bind(source: int, target: int, *, read_only: bool) -> bool:
    """Bind a directory as it shall be, at once: kubelet takes what it finds mounted as done (seen); may hang.

    False when the kernel cannot (before 5.12). Both are descriptors.
    """
    attributes = struct.pack("4Q", NOSUID | NODEV | (RDONLY if read_only else 0), 0, 0, 0)
    try:  # each came with another kernel (5.2, 5.12), and with another systemd into its list of calls
        tree = checked(libc.syscall(_CALLS, source, b"", _CLONE))
        checked(libc.syscall(_CALLS + 14, tree, b"", _EMPTY_PATH, attributes, len(attributes)))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return False
        raise
    checked(libc.syscall(_CALLS + 1, tree, b"", target, b"", 0x44))  # MOVE_MOUNT_{F,T}_EMPTY_PATH
    return True


def unmount(parent: int, name: str) -> bool:
    """Sync and unmount the topmost mount on `name` in a directory, following no link; may hang.

    Return whether the kernel says that writes were lost (since Linux 5.8 it does): the unmount goes on.
    Changes the working directory: for a child only.
    """
    lost, flags = True, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
    # an xfs that was shut down cannot even be opened: nothing is to be saved
    with contextlib.suppress(OSError), descriptor(name, flags, dir_fd=parent) as root:
        lost = libc.syncfs(root) != 0  # so that a fence that comes later loses nothing
    os.fchdir(parent)
    checked(libc.umount2(name.encode(), _UMOUNT_NOFOLLOW))
    return lost


def checked(result: int) -> int:
    """Return what a system call answered; OSError when it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
