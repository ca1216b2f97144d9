"""An older kernel for a process and all that it starts: by a filter, newer system calls are missing.

Linux numbers them in the order in which they came, since 5.1 alike on all processors: so what stands behind
the last one of a version answers ENOSYS, as that version would. What a call that is there could not do yet
(flags, ioctls) is not made older; tests/helper/test_older_sysfs.py has the files of sysfs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

FIRST_MISSING = {
    "4.4": {"x86_64": 326, "aarch64": 285},  # copy_file_range (4.5) and later
    "4.18": {"x86_64": 335, "aarch64": 293},  # behind io_pgetevents and, on x86_64, rseq (both 4.18)
    "5.4": {"x86_64": 436, "aarch64": 436},  # behind clone3 (5.3): close_range (5.9), openat2 (5.6) and later
}
"""By kernel and processor: the number from which on no system call is there (<asm/unistd.h> of that time)."""

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # <linux/audit.h>
_LOAD, _IS, _FROM, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld abs, jeq, jge, ret; <linux/bpf_common.h>
_NUMBER, _PROCESSOR = 0, 4  # offsets in struct seccomp_data
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000 | errno.ENOSYS
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl(2)


def program(version: str, machine: str) -> bytes:
    """Return the filter as the kernel takes it (struct sock_filter[]); KeyError for what the table lacks."""
    steps = (
        (_LOAD, 0, 0, _PROCESSOR),
        (
            _IS,
            0,
            3,
            _ARCHITECTURE[machine],
        ),  # a program for another processor: nothing is known of its numbers
        (_LOAD, 0, 0, _NUMBER),
        (_FROM, 0, 1, FIRST_MISSING[version][machine]),
        (_RETURN, 0, 0, _ERROR),
        (_RETURN, 0, 0, _ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def become(version: str) -> None:
    """Take the newer system calls from this process for good; OSError when the kernel refuses the filter."""
    code = program(version, os.uname().machine)
    kept = ctypes.create_string_buffer(code, len(code))
    filtered = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SECCOMP, _FILTER, filtered, 0, 0) == 0:
        return
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, filtered, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
