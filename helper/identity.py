"""Who a disk is: its maker and product, the volume that sysfs remembers, and what page 0x83 says now.

sysfs keeps what a device said when it was found: after a LUN number is re-used it still names the old volume
(seen), so identity is never taken from there alone.
"""

import ctypes
import errno
import fcntl
import struct
from typing import NamedTuple

from helper import scsi
from instorage.wire.fault import Code, Fault

_SG_IO = 0x2285
_SG_HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII0P")  # struct sg_io_hdr of <scsi/sg.h>
_SG_MILLISECONDS = 5000
_CHECK, _NO_SUCH_LUN = 2, 0x25  # status, additional sense code
_NOT_CONNECTED = (1, 3)  # peripheral qualifiers; an array answers so for LUN 0 when nothing is mapped there


class Identity(NamedTuple):
    """The UID that sysfs remembers of a disk of ours, and the one it gives now; None: it does not answer."""

    remembered: str
    live: str | None
    error: OSError | None = None

    @property
    def unmapped(self) -> bool:
        """Whether the array says that it has no such LUN for this host."""
        return self.error is not None and self.error.errno == errno.ENODEV


def identity(name: str) -> Identity:
    """Return who a disk is; may hang.

    `Fault` NO_PATH when there is no such disk, NOT_OURS for another maker's or product's: that is seen first,
    and such a disk is not even asked.
    """
    disk = scsi.disk(name)
    if disk is None:
        raise Fault(Code.NO_PATH, f"Disk {name} is gone.", disk=name)
    if not disk.ours:
        made = f"{disk.vendor} {disk.product}".strip() or "nobody knows whom"
        text = f"Disk {name} is made by {made}, not {scsi.MAKER}: it is left alone."
        raise Fault(Code.NOT_OURS, text, disk=name)
    try:
        return Identity(disk.uid, page83(name))
    except OSError as error:
        return Identity(disk.uid, None, error)


def check(name: str, uid: str, size: int | None = None) -> None:
    """Raise unless a disk says now, and sysfs remembers, that it is this volume with this size; may hang."""
    found = identity(name)
    if found.remembered == uid and found.error:
        text = f"Disk {name} does not answer: {found.error.strerror}."
        raise Fault(Code.NO_PATH, text, disk=name)
    if (found.live, found.remembered) != (uid, uid):
        says = "silent" if found.live is None else found.live or "without a UID"
        text = f"Disk {name} should be volume {uid}, but is {says}, and was "
        text += f"{found.remembered or 'without one'} when it was found: nothing was done with it."
        fields = {"expected": uid, "found": found.live or "", "remembered": found.remembered}
        raise Fault(Code.WRONG_DEVICE, text, disk=name, **fields)
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
