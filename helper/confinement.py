"""What a program that reads a tenant's file system may do: write one block device, and nothing else.

uid 0 without capabilities still owns root's files and sockets, so that alone is no confinement (seen). No new
privileges, no growth of any file, no socket, and Landlock where the kernel has it (5.13 and later); what is
left without it is in docs/security.md. The system calls are those of landlock(7), numbered alike on all
processors but MIPS.
"""

import ctypes
import errno
import os
import resource
import struct

from helper.mounts import checked, libc
from helper.scsi import MIPS, descriptor

READ = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib64", "/sys", "/proc/self", "/proc/devices", "/proc/swaps"),
    *("/etc/ld.so.cache", "/etc/mke2fs.conf", "/etc/e2fsck.conf", "/etc/blkid.conf", "/etc/mtab"),
)
_LANDLOCK = 444 + 5000 * MIPS  # create_ruleset, add_rule, restrict_self
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version of Landlock
_SCOPED = 3  # abstract sockets and signals of others, since version 6
_ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # the kernel's, or an older systemd's filter
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl(2)
# What we are made for, on another nothing is started: e_machine of <elf.h>, socket(2), socketpair(2).
_PROCESSORS = {"x86_64": (62, 41, 53), "aarch64": (183, 198, 199), "mips64": (8, 5040, 5052)}
_LITTLE_64 = 3 << 30  # <linux/audit.h>
_IO_URING = 425 + 5000 * MIPS  # io_uring_setup(2), which makes sockets as well
_LOAD, _IS, _FROM, _RETURN = 0x20, 0x15, 0x35, 0x06  # ld abs, jeq, jge, ret; <linux/bpf_common.h>
_ALLOWED, _REFUSED = 0x7FFF0000, 0x50000 | errno.EPERM  # <linux/seccomp.h>


def confine(device: str, *, powerless: bool) -> None:
    """Give up everything but one block device, for good, in a child; OSError when the kernel refuses."""
    checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # bytes of a file after a write; no block device's
    _no_sockets()
    _landlock(device)
    if powerless:
        checked(libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)))  # capset(2), version 3


def _no_sockets() -> None:
    """Refuse every new socket: Landlock rules no `connect` to a path, and root's sockets let uid 0 in.

    A pair as well: one of datagrams can be connected anew. And all calls of another processor that the kernel
    knows, whose numbers are others.
    """
    machine, socket, pair = _PROCESSORS[os.uname().machine]
    steps = (
        *((_LOAD, 0, 0, 4), (_IS, 0, 6, _LITTLE_64 | machine)),  # struct seccomp_data
        *((_LOAD, 0, 0, 0), (_FROM, 4, 0, 1 << 30)),  # the number; those of x32
        *((_IS, 3, 0, socket), (_IS, 2, 0, pair), (_IS, 1, 0, _IO_URING)),
        *((_RETURN, 0, 0, _ALLOWED), (_RETURN, 0, 0, _REFUSED)),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    checked(libc.prctl(_SECCOMP, _FILTER, program, 0, 0))


def _landlock(device: str) -> None:
    version = libc.syscall(_LANDLOCK, None, 0, _VERSION)
    if version < 0 and ctypes.get_errno() in _ABSENT:
        return
    handled = _HANDLED[max(known for known in _HANDLED if known <= checked(version))]
    attributes = struct.pack("3Q", handled, 0, _SCOPED if version >= 6 else 0)  # older: all else must be zero
    rules = checked(libc.syscall(_LANDLOCK, attributes, len(attributes), 0))
    for path in filter(os.path.exists, READ):
        _allow(rules, path, handled & (_EXECUTE | _READ | (_LIST if os.path.isdir(path) else 0)))
    _allow(rules, device, handled & (_READ | _WRITE | _TRUNCATE | _IOCTL))
    checked(libc.syscall(_LANDLOCK + 2, rules, 0))


def _allow(rules: int, path: str, access: int) -> None:
    with descriptor(path, os.O_PATH) as at:  # struct landlock_path_beneath_attr is packed
        checked(libc.syscall(_LANDLOCK + 1, rules, _PATH_BENEATH, struct.pack("=Qi", access, at), 0))
