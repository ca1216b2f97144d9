"""SCSI devices as the kernel has them in sysfs: sessions, disks, and what is asked of them there.

What must be true is asked of the disk itself: see `identity`. Deadlines are monotonic seconds.
"""

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from helper.child import until
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Portal

SYS = "/sys"
DEV = "/dev"
# Of the manual's multipath section, where the product is a pattern; how the UIDs that its arrays give begin.
VENDOR, PRODUCT, PREFIX = "INSPUR", "MCS", "6005076"
MIPS = os.uname().machine.startswith("mips")  # numbers of its own for system calls, and directions of ioctls
_BLKROSET = 0x2000125D if MIPS else 0x125D  # <linux/fs.h>
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)  # a directory of sysfs, also while it is being read
OPEN = os.O_RDONLY | os.O_NONBLOCK


class Session(NamedTuple):
    """An iSCSI session that is logged in: its id, host:channel:target id of its LUNs, target name, portal."""

    sid: str
    at: str
    target: str
    portal: str


class Disk(NamedTuple):
    """A SCSI disk. `uid` and `size` (bytes) are what sysfs remembers; `number` is major:minor."""

    name: str
    hctl: str
    number: str
    state: str
    vendor: str
    product: str
    uid: str
    size: int

    @property
    def ours(self) -> bool:
        """Whether an InStorage array made it; an Inspur server's own disks have another product."""
        return self.vendor == VENDOR and PRODUCT in self.product


@contextlib.contextmanager
def descriptor(path: str, flags: int = OPEN, *, dir_fd: int | None = None) -> Iterator[int]:
    """Open what is at a path, a device without waiting for it, until the block ends."""
    opened = os.open(path, flags, dir_fd=dir_fd)
    try:
        yield opened
    finally:
        os.close(opened)


def read(path: str) -> str:
    """Return a sysfs attribute without white space around it, empty when it is not there."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as attribute:
        return attribute.read().strip()
    return ""


def names(path: str) -> list[str]:
    """Return what a directory holds, nothing when it is not there; `Fault` when that is not known."""
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        if error.errno in _GONE:
            return []
        text = f"{path} cannot be read ({error.strerror}), and what is there is not known: see the limits "
        raise Fault(Code.INTERNAL, f"{text}of the helper's service, and SELinux' log.", file=path) from None


def place(path: str) -> str:
    """Return where a link in sysfs leads, empty when it is not there: realpath(3) may lose it on the way."""
    with contextlib.suppress(OSError):
        return os.path.realpath(path)
    return ""


def sessions(*, all_states: bool = False) -> list[Session]:
    """Return every session that works, by the portal that was asked for (not where it was redirected to)."""
    found = []
    for name in names(f"{SYS}/class/iscsi_session"):
        at = f"{SYS}/class/iscsi_session/{name}"
        host = place(at).partition("/host")[2].partition("/")[0]
        if host.isdigit() and (all_states or read(f"{at}/state") == "LOGGED_IN"):
            peer = f"{SYS}/class/iscsi_connection/connection{name[7:]}:0/persistent_"
            portal = Portal.spelled(read(f"{peer}address"), read(f"{peer}port"))
            number = read(f"{at}/target_id")
            luns = f"{host}:0:{number if number.isdigit() else 0}"
            found.append(Session(name[7:], luns, read(f"{at}/targetname"), portal))
    return found


def behind(session: Session) -> list[str]:
    """Return every device that the kernel has behind a session, as host:channel:target:LUN."""
    host = session.at.partition(":")[0]
    return [one for one in names(f"{SYS}/bus/scsi/devices") if one.startswith(f"{host}:")]


def disk(name: str) -> Disk | None:
    """Return the facts of a SCSI disk, None when it is gone."""
    at = f"{SYS}/block/{name}"
    number, hctl = read(f"{at}/dev"), os.path.basename(place(f"{at}/device"))
    if not number or not hctl:
        return None
    state, vendor, product = (read(f"{at}/device/{what}") for what in ("state", "vendor", "model"))
    return Disk(name, hctl, number, state, vendor, product, remembered(name), size(name))


def remembered(name: str) -> str:
    """Return the UID in the page 0x83 that a disk gave when it was found (since Linux 3.15)."""
    with contextlib.suppress(OSError), open(f"{SYS}/block/{name}/device/vpd_pg83", "rb") as page:
        return naa6(page.read(1024))
    return ""


def naa6(page: bytes) -> str:
    """Return the logical unit's NAA type 6 identifier in a device identification page (SPC-4, 7.8.6)."""
    at, end = 4, min(4 + int.from_bytes(page[2:4], "big"), len(page))
    while page[1:2] == b"\x83" and at + 4 <= end:
        value = page[at + 4 : at + 4 + page[at + 3]]
        if page[at + 1] & 0x3F == 3 and len(value) == 16 and value[0] >> 4 == 6:
            return value.hex()
        at += 4 + page[at + 3]
    return ""


def size(name: str) -> int:
    """Return the bytes of a block device, 0 when it is gone."""
    return int(read(f"{SYS}/block/{name}/size") or 0) * 512


def disks() -> list[tuple[str, str]]:
    """Return every SCSI disk's name with the UID that sysfs remembers of it (one file of each is read)."""
    return [(name, remembered(name)) for name in names(f"{SYS}/block") if name.startswith("sd")]


def exists(hctl: str) -> bool:
    """Return whether the kernel has anything at host:channel:target:LUN."""
    return os.path.exists(f"{SYS}/bus/scsi/devices/{hctl}")


def name_at(hctl: str) -> str:
    """Return the kernel name of the disk at host:channel:target:LUN if its node exists, else nothing."""
    found = names(f"{SYS}/bus/scsi/devices/{hctl}/block")
    return found[0] if found and os.path.exists(f"{DEV}/{found[0]}") else ""


def opens(name: str) -> bool:
    """Return whether a disk can be opened: its node is there a moment before it can (seen)."""
    try:
        os.close(os.open(f"{DEV}/{name}", OPEN))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def scan(hctl: str) -> None:
    """Make the kernel look for one LUN of one target, comes back when it is there or not; may hang."""
    host, _, rest = hctl.partition(":")
    _write(f"{SYS}/class/scsi_host/host{host}/scan", rest.replace(":", " "))


def rescan(name: str) -> None:
    """Make the kernel read the size of a disk again; may hang."""
    _write(f"{SYS}/block/{name}/device/rescan", "1")


@contextlib.contextmanager
def held(name: str) -> Iterator[str]:
    """Hold a disk in sysfs: what is done through the path is done to this disk, or fails when it is gone.

    Its name, which the kernel gives again, is its own for as long as that path leads anywhere.
    """
    with descriptor(f"{SYS}/block/{name}/device", os.O_PATH | os.O_DIRECTORY) as device:
        yield f"/proc/self/fd/{device}"


def delete(device: str, deadline: float) -> bool:
    """Remove a `held` disk from the kernel and return whether it is gone; may hang."""
    with contextlib.suppress(FileNotFoundError):
        _write(f"{device}/delete", "1")
    return until(lambda: not os.path.exists(f"{device}/block"), deadline)


def partitions(name: str) -> list[str]:
    """Return the partitions that the kernel has found on a disk."""
    at = f"{SYS}/block/{name}"
    return [part for part in names(at) if os.path.exists(f"{at}/{part}/partition")]


def holders(name: str) -> list[str]:
    """Return the block devices that are built on a device or on its partitions."""
    at = f"{SYS}/block/{name}"
    return [one for part in ("", *partitions(name)) for one in names(f"{at}/{part}/holders")]


def exclusive(name: str) -> int:
    """Open a device as its only user: `OSError(EBUSY)` while it, or a partition, is mounted or held."""
    return os.open(f"{DEV}/{name}", OPEN | os.O_EXCL)


def forbid_writes(name: str) -> None:
    """Have the kernel refuse writes to a device, until it is removed or its map is loaded anew."""
    with descriptor(f"{DEV}/{name}") as node:
        fcntl.ioctl(node, _BLKROSET, struct.pack("i", 1))


def _write(path: str, text: str) -> None:
    """Write an attribute, or raise FileNotFoundError: to create one would be refused in other words."""
    with descriptor(path, os.O_WRONLY) as attribute:
        os.write(attribute, text.encode("ascii"))
