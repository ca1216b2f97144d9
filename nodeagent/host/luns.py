"""The LUN numbers behind which this machine's kernel has a SAN disk, as sysfs shows them to everybody.

A volume that was unmapped behind our back keeps its disks here, and its mount may write to them at any time:
under the same number the array must show nothing else (safety.md 21).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

_FLAT = 0x4000  # from here on the kernel writes a number with its addressing method: 0x4100 is 256


def present(sysfs: Path) -> frozenset[int]:
    """Return the numbers of all disks behind iSCSI and Fibre Channel, of whichever array.

    A list that cannot be read is a Fault, and no empty one; a machine without SCSI has none.
    """
    hosts = {at.name for kind in ("iscsi_host", "fc_host") for at in _entries(sysfs / "class" / kind)}
    found: set[int] = set()
    for at in _entries(sysfs / "class/scsi_device"):
        host, *_, lun = at.name.split(":")
        if f"host{host}" in hosts and lun.isdecimal():
            number = int(lun)
            found |= {number, number & (_FLAT - 1)} if number >= _FLAT else {number}
    return frozenset(found)


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        text = f"The LUN numbers in use here cannot be read from {directory} ({error}): see its rights."
        raise Fault(Code.INTERNAL, text) from None
