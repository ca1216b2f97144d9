"""What is gone, and who says so: a disk while it is looked at, a LUN by the array's word."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from helper import device, identity, scsi

if TYPE_CHECKING:
    from pathlib import Path


def test_a_disk_that_vanishes_between_two_looks_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = tmp_path / "block/sda"
    block.mkdir(parents=True)
    (block / "dev").write_text("8:0\n")
    (block / "device").symlink_to(tmp_path)
    monkeypatch.setattr(scsi, "SYS", str(tmp_path))

    def gone(path: str, *, dir_fd: int | None = None) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "readlink", gone)
    assert device.every([]) == []


SENSE_AT, DATA_AT, STATUS_AT = 32, 16, 64  # of sg_io_hdr on a 64-bit machine: sbp, dxferp, status
FIXED = bytes((0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0))
DESCRIPTOR = bytes((0x72, 5))


@pytest.mark.parametrize(
    ("sense", "data", "number"),
    [
        (FIXED + b"\x25\0", b"", errno.ENODEV),
        (DESCRIPTOR + b"\x25\0", b"", errno.ENODEV),
        (b"", b"\x7f\x83", errno.ENODEV),
        (b"", b"\x3f\x83", errno.ENODEV),
        (FIXED + b"\x24\0", b"", errno.EIO),
        (DESCRIPTOR + b"\x24\0", b"", errno.EIO),
    ],
)
def test_a_lun_that_the_array_took_away_differs_from_one_in_trouble(
    monkeypatch: pytest.MonkeyPatch, sense: bytes, data: bytes, number: int
) -> None:
    def ioctl(_: int, __: int, header: bytearray) -> None:
        def put(at: int, what: bytes) -> None:
            ctypes.memmove(int.from_bytes(header[at : at + 8], "little"), what, len(what))

        put(SENSE_AT, sense)
        put(DATA_AT, data)
        header[STATUS_AT] = 2 if sense else 0

    monkeypatch.setattr(scsi, "DEV", "/dev")
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    with pytest.raises(OSError, match=r"LUN|INQUIRY") as raised:
        identity.page83("null")
    assert raised.value.errno == number
