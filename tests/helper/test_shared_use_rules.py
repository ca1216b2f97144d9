"""A volume that others read or use: no writer, no replay, or no mount at all (safety.md 1, 8 and 9)."""

from __future__ import annotations

import fcntl

import pytest

from helper import scsi
from instorage.wire.fault import Code
from instorage.wire.values import FsType
from tests.helper.host import OTHER
from tests.helper.mounting import MOUNTED, NUMBER, Rig, rig

__all__ = ["rig"]
pytestmark = pytest.mark.subprocess


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("ext4", "errors=remount-ro,noload"),
        ("ext3", "errors=remount-ro,noload"),
        ("xfs", "nouuid,norecovery"),
    ],
)
def test_a_volume_with_other_readers_is_never_replayed(rig: Rig, kind: str, data: str) -> None:
    rig.prepared = (kind, False)
    rig.rows[1] = MOUNTED._replace(options=["ro"])
    rig.ask(read_only=True, shared=True, fs_type=FsType.parse(kind))
    assert rig.did("mount", "fsck") == [f"mount {kind} ro {data}"]
    assert len(rig.did("read-only")) == 2, "the path and the map take writes"


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_a_volume_that_another_host_writes_is_not_read_beside_it(rig: Rig, kind: str) -> None:
    rig.prepared = (kind, False)
    written_elsewhere(rig)
    assert "has a writer" in rig.refused(
        Code.FILE_SYSTEM, read_only=True, shared=True, fs_type=FsType.parse(kind)
    )
    assert not rig.did("mount", "read-only")


def written_elsewhere(rig: Rig) -> None:
    """Have an ext say so of its journal (needs_recovery), on the path and on the map."""
    block = bytearray(4096)
    block[1024 + 96] = 4
    for node in (rig.host.root / "dev").iterdir():
        if node.is_file():
            node.write_bytes(block)


def test_a_volume_with_other_readers_is_never_writable(rig: Rig) -> None:
    assert "other readers" in rig.refused(Code.NOT_ALLOWED, shared=True)
    assert not rig.did("mount")


def test_a_disk_that_became_another_volume_is_not_mounted(rig: Rig) -> None:
    (rig.host.root / "page83/sda").write_text(OTHER)
    assert OTHER in rig.refused(Code.WRONG_DEVICE)
    assert not rig.did("mount", "fsck")


def test_a_volume_that_is_used_elsewhere_is_not_mounted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(name: str) -> int:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(scsi, "exclusive", busy)
    rig.host.mounted(NUMBER, "/mnt/by-hand")
    assert "/mnt/by-hand" in rig.refused(Code.DEVICE_BUSY)
    assert not rig.did("mount", "fsck")


def test_a_volume_that_only_the_kernel_knows_to_be_used_is_not_mounted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount in a namespace that no process is in any more."""

    def busy(name: str) -> int:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(scsi, "exclusive", busy)
    assert "a mount that no process sees" in rig.refused(Code.DEVICE_BUSY)
    assert not rig.did("mount", "fsck")


def test_the_kernel_refuses_writes_to_a_device_that_is_to_be_read_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(scsi, "DEV", "/dev")
    monkeypatch.setattr(fcntl, "ioctl", lambda _, number, data: asked.append((number, data)))
    scsi.forbid_writes("null")
    assert asked == [(0x125D, b"\1\0\0\0")]
