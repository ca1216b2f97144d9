"""What a program that reads a tenant's file system may do: write one block device, and nothing else.

uid 0 without capabilities still owns root's files, so that alone is no confinement (seen). No new privileges,
no growth of any file, and Landlock where the kernel has it (5.13 and later); what is left without it is in
docs/security.md. The system calls are those of landlock(7), numbered alike on all processors but MIPS.
"""

import ctypes
import errno
import os
import resource
import struct

from helper.mounts import checked, libc
from helper.scsi import MIPS

GROWTH = 0  # bytes that a regular file may have after a write; block devices are not affected
READ = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib64", "/sys", "/proc/self", "/proc/devices", "/proc/swaps"),
    *("/etc/ld.so.cache", "/etc/mke2fs.conf", "/etc/e2fsck.conf", "/etc/blkid.conf", "/etc/mtab"),
)
_LANDLOCK = 444 + 5000 * MIPS  # create_ruleset, add_rule, restrict_self
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version of Landlock
_ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # the kernel's, or an older systemd's filter
_NO_NEW_PRIVILEGES = 38  # prctl(2)


def confine(device: str, *, powerless: bool) -> None:
    """Give up everything but one block device, for good, in a child; OSError when the kernel refuses."""
    checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (GROWTH, GROWTH))
    _landlock(device)
    if powerless:
        checked(libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)))  # capset(2), version 3


def _landlock(device: str) -> None:
    version = libc.syscall(_LANDLOCK, None, 0, _VERSION)
    if version < 0 and ctypes.get_errno() in _ABSENT:
        return
    handled = _HANDLED[max(known for known in _HANDLED if known <= checked(version))]
    attributes = struct.pack("Q", handled)
    rules = checked(libc.syscall(_LANDLOCK, attributes, len(attributes), 0))
    for path in filter(os.path.exists, READ):
        _allow(rules, path, handled & (_EXECUTE | _READ | (_LIST if os.path.isdir(path) else 0)))
    _allow(rules, device, handled & (_READ | _WRITE | _TRUNCATE | _IOCTL))
    checked(libc.syscall(_LANDLOCK + 2, rules, 0))
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", access, at)  # struct landlock_path_beneath_attr is packed
    checked(libc.syscall(_LANDLOCK + 1, rules, _PATH_BENEATH, rule, 0))
    os.close(at)
