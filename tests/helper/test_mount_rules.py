"""Mount: checked before, looked at again after, never a writer where none may be (safety.md 8, 9 and 22)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from helper import child, device, mounts
from helper import mount as mounting
from helper.unmount import unmount
from instorage.wire.fault import Code
from instorage.wire.values import Bytes, FsType, MountOption
from instorage.wire.verbs import UnmountRequest
from tests.helper.host import UID
from tests.helper.mounting import MOUNTED, Rig, rig
from tests.helper.sysfs import GIB

__all__ = ["rig"]
pytestmark = pytest.mark.subprocess


def test_checked_and_then_mounted(rig: Rig) -> None:
    rig.ask()
    assert [event.split()[0] for event in rig.did("fsck", "mount")] == ["fsck.ext4", "mount"]
    assert rig.did("fsck")[0].startswith("fsck.ext4 -a ")


def test_ext_stops_at_an_error_whatever_its_superblock_says(rig: Rig) -> None:
    """mke2fs writes «continue» there: the kernel would go on writing, and nobody would see it."""
    rig.ask()
    assert rig.did("mount") == ["mount ext4 rw errors=remount-ro"]


def test_the_label_that_an_administrator_wants_goes_into_the_mount(rig: Rig) -> None:
    label = MountOption.parse("context=system_u:object_r:container_file_t:s0")
    rig.ask(options=(MountOption.parse("noatime"), label))
    assert rig.did("mount") == [f"mount ext4 rw errors=remount-ro,{label}"]


@pytest.mark.parametrize(("status", "works"), [(0, True), (1, True), (4, False), (2, False), (8, False)])
def test_what_fsck_could_not_correct_is_an_error(rig: Rig, status: int, works: bool) -> None:
    rig.host.script("fsck.ext4", f"exit {status}")
    if works:
        rig.ask()
    else:
        assert "damaged" in rig.refused(Code.FILE_SYSTEM)
        assert not rig.did("mount")


@pytest.mark.parametrize(("size", "seconds", "works"), [(16 << 40, 1, True), (GIB, 20, False)])
def test_the_check_of_a_large_file_system_is_not_ended_at_the_time_of_a_small_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, size: int, seconds: int, works: bool
) -> None:
    """Else kubelet has it begun anew for ever; an end it has all the same, a second later for each GiB."""
    monkeypatch.setattr(mounting, "_FSCK", 0.1)
    for block in (rig.host.root / "sys/block").iterdir():
        (block / "size").write_text(str(size // 512))
    rig.host.script("fsck.ext4", f"exec sleep {seconds}")
    if works:
        rig.ask(size=Bytes.parse(size))
    else:
        assert "fsck.ext4 did not end in time" in rig.refused(Code.TIMEOUT, size=Bytes.parse(size))
    assert bool(rig.did("mount")) == works


def test_a_read_only_mount_is_not_repaired_first(rig: Rig) -> None:
    rig.rows[1] = MOUNTED._replace(options=["ro"])
    rig.ask(read_only=True)
    assert not rig.did("fsck")
    assert rig.did("mount") == ["mount ext4 ro errors=remount-ro"]


def test_one_descriptor_of_the_device_is_held_over_check_format_and_mount(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name cannot become another volume's meanwhile."""
    held: dict[str, set[str]] = {}

    def note(what: str) -> None:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        at = [one for child in children for one in Path(f"/proc/{child}/fd").iterdir()]
        held[what] = {f"{one} {os.readlink(one)}" for one in at if "/dm-" in os.readlink(one)}

    def prepare(*_: object) -> tuple[str, bool]:
        note("format")
        return "ext4", False

    def mount(request: object, place: object, volume: object, kind: object) -> None:
        note("mount")

    monkeypatch.setattr(mounting, "prepare", prepare)
    monkeypatch.setattr(mounting, "_check", lambda *_: note("check"))
    monkeypatch.setattr(mounting, "_mount", mount)
    rig.ask()
    assert len(held["format"]) == 1
    assert held["format"] == held["check"] == held["mount"]


def test_a_clones_xfs_is_mounted_beside_its_origin(rig: Rig) -> None:
    rig.prepared = ("xfs", False)
    rig.ask(fs_type=FsType.parse("xfs"))
    assert rig.did("mount", "fsck") == ["mount xfs rw nouuid"]


def test_a_mount_that_did_not_come_up_is_no_success(rig: Rig) -> None:
    rig.rows[1] = None
    assert "unmounted again" in rig.refused(Code.FILE_SYSTEM)
    assert rig.did("unmount") == ["unmount pvc-1"]


def test_another_volume_that_came_up_is_taken_down_again(rig: Rig) -> None:
    rig.rows[1] = MOUNTED._replace(number="253:99")
    assert "unmounted again" in rig.refused(Code.FILE_SYSTEM)
    assert rig.did("unmount") == ["unmount pvc-1"]


def test_a_mount_that_came_up_read_only_is_no_success(rig: Rig) -> None:
    rig.rows[1] = MOUNTED._replace(super_options=["ro"])
    rig.refused(Code.FILE_SYSTEM)


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_mount_leaves_the_target_as_it_was(rig: Rig, there: bool) -> None:
    target = Path(rig.request.target)
    if not there:
        target.rmdir()
    rig.rows[1] = None
    rig.refused(Code.FILE_SYSTEM)
    assert target.exists() is there


def test_a_failed_mount_is_never_answered_with_a_format(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(mounts, "mount", fails)
    assert "Invalid argument" in rig.refused(Code.FILE_SYSTEM, may_format=True)
    assert not rig.did("mkfs")


def test_a_file_system_that_the_kernel_made_read_only_is_not_handed_out_as_writable(rig: Rig) -> None:
    rig.rows = [MOUNTED._replace(super_options=["ro"])]
    assert "the kernel found an error" in rig.refused(Code.FILE_SYSTEM)
    rig.rows = [MOUNTED._replace(super_options=["ro"])]
    assert rig.ask(read_only=True).already


def test_a_foreign_mount_at_the_target_is_left(rig: Rig) -> None:
    rig.rows = [MOUNTED._replace(number="0:55", fs_type="tmpfs")]
    rig.refused(Code.NOT_OURS)
    assert not rig.did("mount", "unmount")


@pytest.mark.parametrize("part", [{"number": "8:77"}, {"root": "/lost+found"}])
def test_a_part_of_the_volume_at_the_target_is_not_the_volume(rig: Rig, part: dict[str, Any]) -> None:
    """A partition, a directory: a pod would not get it either."""
    partition = rig.host.root / "sys/block/sda/sda1"
    partition.mkdir()
    (partition / "partition").write_text("1")
    (partition / "dev").write_text("8:77")
    rig.rows = [MOUNTED._replace(**part)]
    rig.refused(Code.NOT_OURS)


@pytest.mark.parametrize(
    ("second", "ends"), [("unmapped", True), (UID, False), ("silent", False), ("blocked", False)]
)
def test_queueing_ends_before_an_unmount_only_when_every_path_says_that_the_lun_is_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, second: str, ends: bool
) -> None:
    rig.host.disk("sdb", "1:0:0:1", UID, says=second)
    (rig.host.root / "page83/sda").write_text("unmapped")
    if second == "silent":
        (rig.host.root / "page83/sdb").unlink()
    if second == "blocked":  # its session is being made anew: whoever asks it waits
        (rig.host.root / "sys/bus/scsi/devices/1:0:0:1/state").write_text("blocked")
        (rig.host.root / "page83/sdb").write_text("unmapped")
    monkeypatch.setattr(device, "uid_of", lambda _: UID)
    rig.rows = [MOUNTED, MOUNTED, None]
    unmount(UnmountRequest(rig.request.op, rig.request.target), rig.settings)
    did = [event.partition(" map")[0] for event in rig.did("multipathd", "unmount")]
    assert did == ["multipathd disablequeueing"] * ends + ["unmount pvc-1"]


def test_a_lun_that_is_said_to_be_gone_for_an_instant_is_not_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = rig.host.root / "page83/sda"
    true_gather = child.gather

    def gather(*arguments: Any, **more: Any) -> list[Any]:
        found = true_gather(*arguments, **more)
        says.write_text(UID)
        return found

    says.write_text("unmapped")
    monkeypatch.setattr(child, "gather", gather)
    assert not device.unmapped(device.find(UID), time.monotonic() + 5)
