"""SCSI devices as the kernel has them: sysfs for what is cheap, page 0x83 asked live for what must be true.

sysfs keeps what a device said when it was found: after a LUN number is re-used it still names the old volume
(seen), so identity is never taken from there alone. Deadlines are monotonic seconds.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from typing import NamedTuple

from helper.child import until

SYS = "/sys"
DEV = "/dev"
VENDOR = "INSPUR"
_SG_IO = 0x2285
MIPS = os.uname().machine.startswith("mips")  # numbers of its own for system calls, and directions of ioctls
_BLKROSET = 0x2000125D if MIPS else 0x125D  # <linux/fs.h>
_SG_HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII0P")  # struct sg_io_hdr of <scsi/sg.h>
_SG_MILLISECONDS = 5000
_CHECK, _NO_SUCH_LUN, _NEVER_THERE = 2, 0x25, 3  # status, additional sense code, peripheral qualifier
_OPEN = os.O_RDONLY | os.O_NONBLOCK


class Session(NamedTuple):
    """An iSCSI session that is logged in: its id, SCSI host number, target id on it, target name, portal."""

    sid: str
    host: int
    target_id: int
    target: str
    portal: str


class Disk(NamedTuple):
    """A SCSI disk. `uid` and `size` (bytes) are what sysfs remembers; `number` is major:minor."""

    name: str
    hctl: str
    number: str
    state: str
    vendor: str
    uid: str
    size: int


def read(path: str) -> str:
    """Return a sysfs attribute without white space around it, empty when it is not there."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as attribute:
        return attribute.read().strip()
    return ""


def names(path: str) -> list[str]:
    """Return what a directory holds, nothing when it is not there."""
    with contextlib.suppress(OSError):
        return sorted(os.listdir(path))
    return []


def place(path: str) -> str:
    """Return where a link in sysfs leads, empty when it is not there: realpath(3) may lose it on the way."""
    with contextlib.suppress(OSError):
        return os.path.realpath(path)
    return ""


def sessions() -> list[Session]:
    """Return every session that works, by the portal that was asked for (not where it was redirected to)."""
    found = []
    for name in names(f"{SYS}/class/iscsi_session"):
        at = f"{SYS}/class/iscsi_session/{name}"
        host = place(at).partition("/host")[2].partition("/")[0]
        if host.isdigit() and read(f"{at}/state") == "LOGGED_IN":
            peer = f"{SYS}/class/iscsi_connection/connection{name[7:]}:0/persistent_"
            address, port, target_id = read(f"{peer}address"), read(f"{peer}port"), read(f"{at}/target_id")
            portal = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            number = int(target_id) if target_id.isdigit() else 0
            found.append(Session(name[7:], int(host), number, read(f"{at}/targetname"), portal))
    return found


def behind(session: Session) -> list[str]:
    """Return every device that the kernel has behind a session, as host:channel:target:LUN."""
    return [one for one in names(f"{SYS}/bus/scsi/devices") if one.startswith(f"{session.host}:")]


def disk(name: str) -> Disk | None:
    """Return the facts of a SCSI disk, None when it is gone."""
    at = f"{SYS}/block/{name}"
    number, hctl = read(f"{at}/dev"), os.path.basename(place(f"{at}/device"))
    if not number or not hctl:
        return None
    state, vendor, wwid = (read(f"{at}/device/{what}") for what in ("state", "vendor", "wwid"))
    return Disk(name, hctl, number, state, vendor, wwid.removeprefix("naa.").lower(), size(name))


def size(name: str) -> int:
    """Return the bytes of a block device, 0 when it is gone."""
    return int(read(f"{SYS}/block/{name}/size") or 0) * 512


def disks() -> list[Disk]:
    """Return every SCSI disk."""
    found = (disk(name) for name in names(f"{SYS}/block") if name.startswith("sd"))
    return [one for one in found if one]


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
        os.close(os.open(f"{DEV}/{name}", _OPEN))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def scan(session: Session, lun: int) -> None:
    """Make the kernel look for one LUN behind one session; may hang."""
    _write(f"{SYS}/class/scsi_host/host{session.host}/scan", f"0 {session.target_id} {lun}")


def rescan(name: str) -> None:
    """Make the kernel read the size of a disk again; may hang."""
    _write(f"{SYS}/block/{name}/device/rescan", "1")


def delete(name: str, deadline: float) -> bool:
    """Remove a disk from the kernel and return whether it is gone; may hang."""
    try:
        _write(f"{SYS}/block/{name}/device/delete", "1")
    except FileNotFoundError:
        return True
    return until(lambda: not os.path.exists(f"{SYS}/block/{name}"), deadline)


def holders(name: str) -> list[str]:
    """Return the block devices that are built on a device or on its partitions."""
    at = f"{SYS}/block/{name}"
    parts = [part for part in names(at) if os.path.exists(f"{at}/{part}/partition")]
    return [one for part in ("", *parts) for one in names(f"{at}/{part}/holders")]


def exclusive(name: str) -> int:
    """Open a device as its only user: `OSError(EBUSY)` while it, or a partition, is mounted or held."""
    return os.open(f"{DEV}/{name}", _OPEN | os.O_EXCL)


def forbid_writes(name: str) -> None:
    """Have the kernel refuse writes to a device, until it is removed or its map is loaded anew."""
    node = os.open(f"{DEV}/{name}", _OPEN)
    fcntl.ioctl(node, _BLKROSET, struct.pack("i", 1))
    os.close(node)


def page83(name: str) -> str:
    """Ask a disk for its NAA type 6 identifier now; empty if it has none, OSError if it does not answer.

    `OSError(ENODEV)` is the array's word that it has no such LUN for this host (SPC-4, 6.6.2 and annex E).
    """
    data = ctypes.create_string_buffer(1024)
    sense = ctypes.create_string_buffer(64)
    command = ctypes.create_string_buffer(bytes((0x12, 1, 0x83, 4, 0, 0)), 6)  # INQUIRY, EVPD, 1024 bytes
    where = [ctypes.addressof(buffer) for buffer in (data, command, sense)]
    header = bytearray(_SG_HEADER.pack(ord("S"), -3, 6, 64, 0, 1024, *where, _SG_MILLISECONDS, *[0] * 12))
    node = os.open(f"{DEV}/{name}", _OPEN)
    try:
        fcntl.ioctl(node, _SG_IO, header)
    finally:
        os.close(node)
    status, _, _, _, host, driver = _SG_HEADER.unpack(header)[13:19]
    code = sense.raw[2 if sense.raw[0] & 0x7E == 0x72 else 12]  # descriptor or fixed format
    if (status == _CHECK and code == _NO_SUCH_LUN) or (not status and data.raw[0] >> 5 == _NEVER_THERE):
        raise OSError(errno.ENODEV, "the array has no such LUN for this host")
    if status or host or driver & 7:
        raise OSError(errno.EIO, f"INQUIRY failed: status {status}, host {host}, driver {driver}")
    return naa6(data.raw)


def naa6(page: bytes) -> str:
    """Return the logical unit's NAA type 6 identifier in a device identification page (SPC-4, 7.8.6)."""
    at, end = 4, min(4 + int.from_bytes(page[2:4], "big"), len(page))
    while page[1] == 0x83 and at + 4 <= end:
        value = page[at + 4 : at + 4 + page[at + 3]]
        if page[at + 1] & 0x3F == 3 and len(value) == 16 and value[0] >> 4 == 6:
            return value.hex()
        at += 4 + page[at + 3]
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as attribute:
        attribute.write(text)
