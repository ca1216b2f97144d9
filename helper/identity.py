"""Who a disk is: its maker and product, the volume that sysfs remembers, and what page 0x83 says now.

sysfs keeps what a device said when it was found: after a LUN number is re-used it still names the old volume
(seen), so identity is never taken from there alone.
"""

import ctypes
import errno
import fcntl
import struct

from helper import scsi
from instorage.wire.fault import Code, Fault

_SG_IO = 0x2285
_SG_HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII0P")  # struct sg_io_hdr of <scsi/sg.h>
_SG_MILLISECONDS = 5000
_CHECK, _NO_SUCH_LUN = 2, 0x25  # status, additional sense code
_NOT_CONNECTED = (1, 3)  # peripheral qualifiers; an array answers so for LUN 0 when nothing is mapped there


def ours(name: str) -> scsi.Disk:
    """Return a disk of ours as sysfs has it, before it is asked for anything.

    `Fault` NO_PATH when there is no such disk, NOT_OURS for another maker's or product's.
    """
    disk = scsi.disk(name)
    if disk is None:
        raise Fault(Code.NO_PATH, f"Disk {name} is gone.", disk=name)
    if not disk.ours:
        made = f"{disk.vendor} {disk.product}".strip() or "nobody knows whom"
        text = f"Disk {name} is made by {made}, not {scsi.VENDOR} {scsi.PRODUCT}: it is left alone."
        raise Fault(Code.NOT_OURS, text, disk=name)
    return disk


def no_such_lun(name: str) -> bool:
    """Return whether the array says that it has no such LUN for this host; may hang. Faults as `ours`."""
    try:
        page83(ours(name).name)
    except OSError as error:
        return error.errno == errno.ENODEV
    return False


def check(name: str, uid: str, size: int | None = None) -> None:
    """Raise unless a disk says now, and sysfs remembers, that it is this volume with this size; may hang."""
    disk, live = ours(name), None
    try:
        live = page83(name)
    except OSError as error:
        if disk.uid == uid:
            text = f"Disk {name} does not answer: {error.strerror}."
            raise Fault(Code.NO_PATH, text, disk=name) from None
    if (live, disk.uid) != (uid, uid):
        says = "silent" if live is None else live or "without a UID"
        text = f"Disk {name} should be volume {uid}, but is {says}, and was "
        text += f"{disk.uid or 'without one'} when it was found: nothing was done with it."
        raise Fault(Code.WRONG_DEVICE, text, disk=name, expected=uid, found=live or "", remembered=disk.uid)
    if size not in (None, there := scsi.size(name)):
        text = f"Disk {name} of volume {uid} has {there} bytes, the array says {size}: detach or grow it."
        raise Fault(Code.WRONG_DEVICE, text, disk=name, expected=size or 0, found=there)


def page83(name: str) -> str:
    """Ask a disk for its NAA type 6 identifier now; empty if it has none, OSError if it does not answer.

    `OSError(ENODEV)` is the array's word that it has no such LUN for this host (SPC-4, 6.6.2 and annex E).
    """
    data = ctypes.create_string_buffer(1024)
    sense = ctypes.create_string_buffer(64)
    command = ctypes.create_string_buffer(bytes((0x12, 1, 0x83, 4, 0, 0)), 6)  # INQUIRY, EVPD, 1024 bytes
    where = [ctypes.addressof(buffer) for buffer in (data, command, sense)]
    header = bytearray(_SG_HEADER.pack(ord("S"), -3, 6, 64, 0, 1024, *where, _SG_MILLISECONDS, *[0] * 12))
    with scsi.descriptor(f"{scsi.DEV}/{name}") as node:
        fcntl.ioctl(node, _SG_IO, header)
    status, _, _, _, host, driver = _SG_HEADER.unpack(header)[13:19]
    code = sense.raw[2 if sense.raw[0] & 0x7E == 0x72 else 12]  # descriptor or fixed format
    if (status == _CHECK and code == _NO_SUCH_LUN) or (not status and data.raw[0] >> 5 in _NOT_CONNECTED):
        raise OSError(errno.ENODEV, "the array has no such LUN for this host")
    if status or host or driver & 7:
        raise OSError(errno.EIO, f"INQUIRY failed: status {status}, host {host}, driver {driver}")
    return scsi.naa6(data.raw)
