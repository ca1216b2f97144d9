"""A mounted file system as the kernel has it: whether it was stopped, whether it takes writes, and its size.

Not by resize2fs or xfs_growfs: so no program reads the array's data as root, nothing on a path can be swapped
between the look and the deed, and no version of a program differs from another.
"""

import errno
import fcntl
import os
import struct

from helper import scsi
from helper.mounts import Row
from helper.target import Place
from instorage.wire.fault import Code, Fault

FREEZE = 0xC0045877, errno.EBUSY  # FIFREEZE and FITHAW of <linux/fs.h>; what they say when it is so already
THAW = 0xC0045878, errno.EINVAL
_READ, _WRITE = (2 << 29, 4 << 29) if scsi.MIPS else (2 << 30, 1 << 30)  # _IOR, _IOW of <asm/ioctl.h>
_EXT4_RESIZE = _WRITE | 8 << 16 | ord("f") << 8 | 16  # EXT4_IOC_RESIZE_FS: blocks
_XFS_GEOMETRY = _READ | 112 << 16 | ord("X") << 8 | 100  # XFS_IOC_FSGEOMETRY_V1
_XFS_GROW = _WRITE | 16 << 16 | ord("X") << 8 | 110  # XFS_IOC_FSGROWFSDATA: blocks, percentage for inodes


def opened(place: Place, row: Row) -> int:
    """Return a descriptor of the file system that `row` found at a target; `OSError` when another came up."""
    node = os.open(place.target.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=place.parent)
    number = os.fstat(node).st_dev
    if f"{os.major(number)}:{os.minor(number)}" != row.number:
        raise OSError(errno.ESTALE, "another mount came up")
    return node


def stopped(row: Row) -> str:
    """Return why the kernel has stopped or distrusts a mounted file system, empty when it does neither.

    After an error ext4 says so in its options by words that depend on the kernel, or (6.12 to 6.14, and with
    errors=continue) only in a counter, which a check sets back. An xfs that was shut down shows nothing, and
    its root cannot be opened.
    """
    if "shutdown" in row.super_options:
        return "was given up by the kernel after an error (shutdown)"
    name = os.path.basename(scsi.place(f"{scsi.SYS}/dev/block/{row.number}"))
    count = scsi.read(f"{scsi.SYS}/fs/ext4/{name}/errors_count") if row.fs_type.startswith("ext") else ""
    if count.isdigit() and int(count):
        return f"has had {count} errors since it was last checked"
    return "takes no writes after an error (emergency_ro)" if "emergency_ro" in row.super_options else ""


def order(node: int, what: tuple[int, int]) -> bool:
    """Stop writes (`FREEZE`) or let them go on (`THAW`); return whether that changed anything. May hang."""
    number, already = what
    try:
        fcntl.ioctl(node, number, 0)
    except OSError as error:
        if error.errno != already:
            raise
        return False
    return True


def grow(node: int, fs_type: str, size: int) -> int:
    """Have a file system fill its device of `size` bytes; return its own as statvfs(3) has it. May hang.

    Never smaller: the kernel refuses that for a mounted ext3 or ext4, and is not asked for it with xfs.
    """
    if fs_type == "xfs":
        geometry = bytearray(112)
        fcntl.ioctl(node, _XFS_GEOMETRY, geometry)
        block, percentage, blocks = struct.unpack_from("=I24xIQ", geometry)
        if size // block > blocks:
            fcntl.ioctl(node, _XFS_GROW, struct.pack("=QI4x", size // block, percentage))
    elif fs_type in ("ext3", "ext4"):
        fcntl.ioctl(node, _EXT4_RESIZE, struct.pack("=Q", size // os.fstatvfs(node).f_bsize))
    else:
        raise Fault(Code.FILE_SYSTEM, f"A file system of type {fs_type} is not grown.", fs_type=fs_type)
    now = os.fstatvfs(node)
    return now.f_blocks * now.f_frsize
