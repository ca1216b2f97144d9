"""A file system fills the volume that is mounted there, and nothing else grows (safety.md 16)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Any

import pytest

from helper import filesystem
from helper.growth import grow_filesystem
from helper.mounts import Row
from helper.settings import Settings
from helper.target import Place
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import GrowFilesystemRequest
from instorage.wire.values import VolumeUid
from tests.helper.growing import LARGE, OP, host
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB

__all__ = ["host"]
pytestmark = pytest.mark.subprocess


class Kernel:
    """What the ioctls of a mounted file system do."""

    def __init__(self, host: Host, error: int = 0) -> None:
        self.host, self.error = host, error
        self.blocks, self.block, self.percentage = GIB // 4096, 4096, 25

    def ioctl(self, node: int, number: int, argument: Any) -> int:
        assert not os.get_inheritable(node)
        if number == 0x80705864:
            struct.pack_into("=8IQ", argument, 0, self.block, *[0] * 6, self.percentage, self.blocks)
            return 0
        name = {0x40086610: "ext4", 0x4010586E: "xfs"}[number]
        self.host.note(
            f"ioctl {name} {' '.join(map(str, struct.unpack(f'={len(argument) // 8}Q', argument)))}"
        )
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return 0


class Mounted:
    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, error: int = 0, **row: Any) -> None:
        self.host = host
        self.map = host.map(UID, "sda", "sdb", size=LARGE)
        self.target = host.mount(monkeypatch, self.map, **row)
        monkeypatch.setattr(fcntl, "ioctl", Kernel(host, error).ioctl)
        monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result((4096, 4096, 500, *[0] * 7)))

    def ask(self, uid: str = UID, target: str = "") -> tuple[str, int]:
        request = GrowFilesystemRequest(OP, VolumeUid.parse(uid), target or self.target)
        reply = grow_filesystem(request, Settings(roots=(str(self.host.root),)))
        return reply.fs_type, reply.size

    def refused(self, code: Code, **parameters: Any) -> str:
        with pytest.raises(Fault) as raised:
            self.ask(**parameters)
        assert raised.value.code is code, raised.value
        return raised.value.sentence

    @property
    def did(self) -> list[str]:
        return [event for event in self.host.events if event.startswith("ioctl")]


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_ext_fills_its_device(host: Host, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted = Mounted(host, monkeypatch, fs_type=kind)
    assert mounted.ask() == (kind, 500 * 4096)
    assert mounted.did == [f"ioctl ext4 {LARGE // 4096}"]


def test_xfs_fills_its_device_and_keeps_its_share_of_inodes(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Mounted(host, monkeypatch, fs_type="xfs")
    assert mounted.ask() == ("xfs", 500 * 4096)
    assert mounted.did == [f"ioctl xfs {LARGE // 4096} 25"]


@pytest.mark.parametrize("size", [GIB, GIB // 2])
def test_xfs_is_not_asked_to_become_smaller(host: Host, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    mounted = Mounted(host, monkeypatch, fs_type="xfs")
    (host.root / f"sys/block/{mounted.map}/size").write_text(str(size // 512))
    mounted.ask()
    assert mounted.did == []


def test_what_the_kernel_says_is_said_with_volume_and_file_system(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Mounted(host, monkeypatch, error=errno.EPERM).refused(Code.FILE_SYSTEM)
    assert all(word in said for word in ("ext4", UID, "Operation not permitted"))


def test_another_file_system_is_refused_by_name(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "btrfs" in Mounted(host, monkeypatch, fs_type="btrfs").refused(Code.FILE_SYSTEM)


@pytest.mark.parametrize("row", [{"options": ["ro"]}, {"super_options": ["ro"]}])
def test_what_is_mounted_read_only_is_not_grown(
    host: Host, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any]
) -> None:
    mounted = Mounted(host, monkeypatch, **row)
    assert "read-only" in mounted.refused(Code.FILE_SYSTEM)
    assert mounted.did == []


def test_only_the_volume_that_is_mounted_there_grows(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = Mounted(host, monkeypatch)
    mounted.refused(Code.NOT_OURS, uid=OTHER)
    mounted.refused(Code.NOT_OURS, target=mounted.target.replace("pvc-1", "pvc-2"))
    mounted.refused(Code.NOT_ALLOWED, target="/")
    assert mounted.did == []


def test_a_part_of_a_volume_that_is_mounted_is_not_the_volume(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Mounted(host, monkeypatch, root="/inside")
    mounted.refused(Code.NOT_OURS)


def test_a_mount_that_was_swapped_after_the_look_gets_no_ioctl(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Mounted(host, monkeypatch)
    (link,) = (host.root / "sys/dev/block").iterdir()
    link.rename(link.with_name("1:99"))
    (host.root / f"sys/block/{mounted.map}/dev").write_text("1:99")
    row = Row(9, "1:99", "/", mounted.target, ["rw"], "ext4", "/dev/x", ["rw"])
    monkeypatch.setattr(Place, "row", lambda _: row)
    assert "another mount came up" in mounted.refused(Code.FILE_SYSTEM)
    assert mounted.did == []


def test_numbers_of_ioctls_are_those_of_the_kernels_headers() -> None:
    numbers = (filesystem._EXT4_RESIZE, filesystem._XFS_GEOMETRY, filesystem._XFS_GROW)
    assert numbers == (0x40086610, 0x80705864, 0x4010586E)
