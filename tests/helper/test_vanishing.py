"""What is gone, and who says so: a disk while it is looked at, a LUN by the array's word."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING

import pytest

from helper import device, identity, iscsi, scsi
from instorage.wire.fault import Fault
from tests.helper.detaching import ask, attached

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helper.host import Host

__all__ = ["attached"]


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


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ENODEV])
def test_a_directory_that_is_gone_holds_nothing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    unreadable(monkeypatch, "/x", number)
    assert scsi.names("/x") == []


def unreadable(monkeypatch: pytest.MonkeyPatch, directory: str, number: int) -> None:
    listed = os.listdir

    def look(at: str) -> list[str]:
        if at == directory:
            raise OSError(number, os.strerror(number), at)
        return listed(at)

    monkeypatch.setattr(os, "listdir", look)


@pytest.mark.subprocess
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_disks_that_cannot_be_listed_are_not_gone(
    attached: Host, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Else the array unmaps the volume under a mount."""
    unreadable(monkeypatch, f"{attached.root}/sys/block", number)
    with pytest.raises(Fault, match="sys/block cannot be read"):
        ask()
    assert attached.events == []


@pytest.mark.subprocess
def test_a_session_whose_devices_cannot_be_listed_is_not_idle(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.session(0, "10.9.0.1:3260")
    host.used(0)
    unreadable(monkeypatch, f"{host.root}/sys/bus/scsi/devices", errno.EIO)
    with pytest.raises(Fault, match="cannot be read"):
        iscsi.leave(time.monotonic() + 5)
    assert host.events == []


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
