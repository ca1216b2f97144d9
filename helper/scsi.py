"""SCSI devices as the kernel has them: sysfs for what is cheap, page 0x83 asked live for what must be true.

sysfs keeps what a device said when it was found: after a LUN number is re-used it still names the old volume
(seen), so identity is never taken from there alone.
"""

import ctypes
import fcntl
import os
import struct
from dataclasses import dataclass

from helper.waiting import until

SYS = "/sys"
DEV = "/dev"
VENDOR = "INSPUR"
_SG_IO = 0x2285
_SG_HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII0P")  # struct sg_io_hdr of <scsi/sg.h>
_SG_MILLISECONDS = 5000


@dataclass(frozen=True)
class Session:
    """An iSCSI session: SCSI host number, target id on it, target name, portal, state."""

    name: str
    host: int
    target_id: int
    target: str
    portal: str
    state: str


@dataclass(frozen=True)
class Disk:
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
    try:
        with open(path, encoding="utf-8", errors="replace") as attribute:
            return attribute.read().strip()
    except OSError:
        return ""


def names(path: str) -> list[str]:
    """Return what a directory holds, nothing when it is not there."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def sessions() -> list[Session]:
    """Return every iSCSI session, by the portal that was asked for (not the one it was redirected to)."""
    found = []
    for name in names(f"{SYS}/class/iscsi_session"):
        at = f"{SYS}/class/iscsi_session/{name}"
        parts = os.path.realpath(at).split("/")
        host = next((part[4:] for part in parts if part.startswith("host") and part[4:].isdigit()), "")
        peer = f"{SYS}/class/iscsi_connection/connection{name[7:]}:0"
        address, port = read(f"{peer}/persistent_address"), read(f"{peer}/persistent_port")
        portal = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        target_id = read(f"{at}/target_id")
        if host:
            number = int(target_id) if target_id.isdigit() else 0
            target = read(f"{at}/targetname")
            found.append(Session(name, int(host), number, target, portal, read(f"{at}/state")))
    return found


def disk(name: str) -> Disk | None:
    """Return the facts of a SCSI disk, None when it is gone."""
    at = f"{SYS}/block/{name}"
    number = read(f"{at}/dev")
    if not number:
        return None
    return Disk(
        name=name,
        hctl=os.path.basename(os.path.realpath(f"{at}/device")),
        number=number,
        state=read(f"{at}/device/state"),
        vendor=read(f"{at}/device/vendor"),
        uid=read(f"{at}/device/wwid").removeprefix("naa.").lower(),
        size=int(read(f"{at}/size") or 0) * 512,
    )


def disks() -> list[Disk]:
    """Return every SCSI disk."""
    found = (disk(name) for name in names(f"{SYS}/block") if name.startswith("sd"))
    return [one for one in found if one]


def name_at(hctl: str) -> str:
    """Return the kernel name of the disk at host:channel:target:LUN whose node exists, else an empty text."""
    found = names(f"{SYS}/bus/scsi/devices/{hctl}/block")
    return found[0] if found and os.path.exists(f"{DEV}/{found[0]}") else ""


def scan(session: Session, lun: int) -> None:
    """Make the kernel look for one LUN behind one session; may hang."""
    _write(f"{SYS}/class/scsi_host/host{session.host}/scan", f"0 {session.target_id} {lun}")


def delete(name: str, deadline: float) -> bool:
    """Remove a disk from the kernel and return whether it is gone; may hang."""
    at = f"{SYS}/block/{name}"
    try:
        _write(f"{at}/device/delete", "1")
    except FileNotFoundError:
        return True
    return until(lambda: not os.path.exists(at), deadline)


def refresh(name: str) -> None:
    """Make sysfs forget what a disk said once; may hang."""
    _write(f"{SYS}/block/{name}/device/rescan", "1")


def holders(name: str) -> list[str]:
    """Return the block devices that are built on a device or on its partitions, and the partitions' names."""
    at = f"{SYS}/block/{name}"
    parts = [part for part in names(at) if os.path.exists(f"{at}/{part}/partition")]
    return names(f"{at}/holders") + [one for part in parts for one in names(f"{at}/{part}/holders")]


def exclusive(name: str) -> int:
    """Open a device as its only user: `OSError(EBUSY)` while it, or a partition, is mounted or held."""
    return os.open(f"{DEV}/{name}", os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)


def page83(name: str) -> str:
    """Ask a disk for its NAA type 6 identifier now; empty if it has none, OSError if it does not answer."""
    data = ctypes.create_string_buffer(1024)
    sense = ctypes.create_string_buffer(64)
    command = ctypes.create_string_buffer(bytes((0x12, 1, 0x83, 4, 0, 0)), 6)  # INQUIRY, EVPD, 1024 bytes
    where = [ctypes.addressof(buffer) for buffer in (data, command, sense)]
    fields = (ord("S"), -3, 6, 64, 0, 1024, *where, _SG_MILLISECONDS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    header = bytearray(_SG_HEADER.pack(*fields))
    node = os.open(f"{DEV}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(node, _SG_IO, header, True)  # noqa: FBT003
    finally:
        os.close(node)
    status, _, _, _, host, driver = _SG_HEADER.unpack(header)[13:19]
    if status or host or driver & 7:
        raise OSError(5, f"INQUIRY failed: status {status}, host {host}, driver {driver}")
    return naa6(data.raw)


def naa6(page: bytes) -> str:
    """Return the logical unit's NAA type 6 identifier in a device identification page (SPC-4, 7.8.6)."""
    end = min(4 + int.from_bytes(page[2:4], "big"), len(page))
    at = 4
    while page[1] == 0x83 and at + 4 <= end:
        size = page[at + 3]
        value = page[at + 4 : at + 4 + size]
        if page[at + 1] & 0x3F == 3 and size == 16 and value[0] >> 4 == 6:
            return value.hex()
        at += 4 + size
    return ""


def _write(path: str, text: str) -> None:
    attribute = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(attribute, text.encode())
    finally:
        os.close(attribute)
