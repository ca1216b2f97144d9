"""Growth: every path is up and has the new size before the map takes it, the map before the file system.

Safety.md 16. The true kernel is in tests/lab/test_growth.py.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from helper import filesystem, scsi
from helper.growth import grow_filesystem, rescan
from helper.mounts import Row
from helper.settings import Settings
from helper.target import Place
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import GrowFilesystemRequest, RescanRequest
from instorage.wire.values import Bytes, RequestId, VolumeUid
from instorage.wire.verbs import Multipath
from tests.helper.host import GIB, OTHER, UID, Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess
OP = RequestId("test1")
LARGE = 2 * GIB


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The volume with two disks and a map of 1 GiB; the array has made it 2 GiB."""
    host = Host(tmp_path)
    host.patch(monkeypatch)
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "1:0:0:1", UID)
    host.luns = {(0, 0, 1): (UID, LARGE), (1, 0, 1): (UID, LARGE)}
    yield host
    host.close()


@pytest.fixture
def mapped(host: Host) -> str:
    return host.map(UID, "sda", "sdb")


def ask(
    size: int = LARGE, wait_ms: int = 6000, settings: Settings | None = None
) -> tuple[str, tuple[str, ...]]:
    request = RescanRequest(OP, VolumeUid.parse(UID), Bytes.parse(size), wait_ms)
    reply = rescan(request, settings or Settings())
    return reply.device, reply.paths


def refused(code: Code, **parameters: Any) -> Fault:
    with pytest.raises(Fault) as raised:
        ask(**parameters)
    assert raised.value.code is code, raised.value
    return raised.value


def did(host: Host) -> list[str]:
    return [event for event in host.events if event.startswith(("rescan", "multipath"))]


def test_every_path_is_read_again_and_then_the_map_resized(host: Host, mapped: str) -> None:
    assert ask() == (f"{scsi.DEV}/disk/by-id/dm-uuid-mpath-3{UID}", ("sda", "sdb"))
    assert sorted(did(host)[:2]) == ["rescan sda", "rescan sdb"]
    assert did(host)[2:] == [f"multipathd resize map 3{UID}"]
    assert [scsi.size(name) for name in ("sda", "sdb", mapped)] == [LARGE] * 3


def test_nothing_is_done_when_everything_has_that_size(host: Host, mapped: str) -> None:
    """So the agent proves, before the array grows it, that all paths are up."""
    ask(GIB)
    assert did(host) == []


def test_a_volume_with_a_single_path_and_no_map_grows(host: Host) -> None:
    device, _ = ask()
    assert device == f"{scsi.DEV}/disk/by-id/wwn-0x{UID}"
    assert sorted(did(host)) == ["rescan sda", "rescan sdb"]


@pytest.mark.parametrize("state", ["blocked", "offline", "transport-offline"])
@pytest.mark.parametrize("size", [GIB, LARGE])
def test_a_path_that_is_down_stops_growth_before_anything_is_touched(
    host: Host, mapped: str, state: str, size: int
) -> None:
    (host.root / "sys/block/sdb/device/state").write_text(state)
    fault = refused(Code.NO_PATH, size=size)
    assert f"sdb is {state}" in str(fault)
    assert "Not all paths" in str(fault)
    assert did(host) == []


def test_a_path_that_does_not_answer_stops_growth_before_anything_is_touched(host: Host, mapped: str) -> None:
    (host.root / "page83/sdb").unlink()
    assert "sdb" in str(refused(Code.NO_PATH))
    assert did(host) == []


def test_a_path_that_leads_to_another_volume_by_now_stops_growth(host: Host, mapped: str) -> None:
    (host.root / "page83/sdb").write_text(OTHER)
    fault = refused(Code.WRONG_DEVICE)
    assert fault.fields["found"] == OTHER
    assert did(host) == []


def test_a_disk_of_another_maker_stops_growth(host: Host, mapped: str) -> None:
    (host.root / "sys/block/sdb/device/vendor").write_text("OTHER")
    refused(Code.NOT_OURS)
    assert did(host) == []


def test_a_path_that_keeps_its_size_stops_growth_before_the_map(host: Host, mapped: str) -> None:
    host.luns[1, 0, 1] = (UID, GIB)
    fault = refused(Code.WRONG_DEVICE, wait_ms=3500)
    assert (fault.fields["disk"], fault.fields["found"], fault.fields["expected"]) == (
        "sdb", str(GIB), str(LARGE),
    )  # fmt: skip
    assert not [event for event in did(host) if event.startswith("multipathd")]
    assert scsi.size(mapped) == GIB


def test_a_controller_that_shows_the_new_size_late_is_waited_for(
    host: Host, mapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_size = host.luns[1, 0, 1]
    host.luns[1, 0, 1] = (UID, GIB)

    def read_again(device: Path) -> None:
        if "rescan sdb" in host.events:
            host.luns[1, 0, 1] = true_size
        Host._read_again(host, device)

    monkeypatch.setattr(host, "_read_again", read_again)
    ask(wait_ms=8000)
    assert did(host).count("rescan sdb") > 1
    assert scsi.size(mapped) == LARGE


@pytest.mark.parametrize("grown", ["sda", "map"])
def test_nothing_is_ever_made_smaller(host: Host, mapped: str, grown: str) -> None:
    name = mapped if grown == "map" else grown
    (host.root / f"sys/block/{name}/size").write_text(str(LARGE // 512))
    assert "nothing is made smaller" in str(refused(Code.WRONG_DEVICE, size=GIB))
    assert did(host) == []


def test_a_disk_that_became_smaller_than_the_map_stops_growth(host: Host, mapped: str) -> None:
    host.luns[1, 0, 1] = (UID, GIB // 2)
    assert refused(Code.WRONG_DEVICE, wait_ms=3500).fields["found"] == str(GIB // 2)
    assert scsi.size(mapped) == GIB


@pytest.mark.parametrize("answer", ["fail", "timeout", ""])
def test_what_multipathd_says_is_read(host: Host, mapped: str, answer: str) -> None:
    host.answers = answer
    assert f"«{answer}»" in str(refused(Code.TOOL_FAILED))


def test_an_ok_of_multipathd_is_not_believed(host: Host, mapped: str) -> None:
    host.busy_maps.add(f"3{UID}")
    assert f"it has {GIB}" in str(refused(Code.TOOL_FAILED, wait_ms=3500))


def test_a_map_is_never_reconfigured(host: Host, mapped: str) -> None:
    ask()
    assert not [event for event in host.events if "reconf" in event]


def test_a_map_that_is_demanded_must_be_there(host: Host) -> None:
    refused(Code.NO_MULTIPATH, settings=Settings(multipath=Multipath.REQUIRED))
    assert did(host) == []


def test_a_volume_that_is_not_here_is_said(host: Host, mapped: str) -> None:
    with pytest.raises(Fault, match="no disk") as raised:
        rescan(RescanRequest(OP, VolumeUid.parse(OTHER), Bytes.parse(GIB), 2000), Settings())
    assert raised.value.code is Code.NO_PATH


def test_a_volume_that_is_worked_on_is_waited_for(host: Host, mapped: str) -> None:
    with hold(UID, "op1", time.monotonic() + 5):
        assert "op1" in str(refused(Code.LOCK_TIMEOUT, wait_ms=300))
    assert did(host) == []


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
        monkeypatch.setattr(filesystem.fcntl, "ioctl", Kernel(host, error).ioctl)
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
