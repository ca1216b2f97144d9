"""Detach: the one order, nothing of what is used is touched, what is gone is success (safety.md 10 to 13)."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from helper import device, scsi
from helper.inventory import inspect
from helper.settings import Settings
from helper.unmount import unmount
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import InspectReply, InspectRequest, UnmountRequest
from tests.helper.detaching import OP, ask, attached
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import page

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["attached"]
pytestmark = pytest.mark.subprocess


def everything() -> list[InspectReply]:
    return inspect(InspectRequest(OP), Settings(), more=True)


def refused(wait_ms: int = 3000) -> str:
    with pytest.raises(Fault) as raised:
        ask(wait_ms)
    assert raised.value.code is Code.DEVICE_BUSY
    return raised.value.sentence


def test_flushed_then_the_map_then_every_disk_then_forgotten(attached: Host) -> None:
    removed = ask()
    assert (removed[0][:3], removed[1:]) == ("dm-", ("sda", "sdb"))
    assert attached.names() == ["sdc"]
    order = [event.split(" 3")[0] for event in attached.events]
    flushed, mapless = order.index(f"fsync {removed[0]}"), order.index("multipathd del map")
    deleted = [order.index("delete sda"), order.index("delete sdb")]
    assert flushed < order.index("multipathd disablequeueing map") < mapless < min(deleted)
    assert f"multipath -w 3{UID}" in attached.events
    assert not [event for event in attached.events if event.startswith("multipath -F") or "reconf" in event]


def test_a_map_that_stays_keeps_its_disks(attached: Host) -> None:
    attached.busy_maps.add(f"3{UID}")
    refused(1500)
    assert len(attached.names()) == 4
    assert not [event for event in attached.events if event.startswith("delete")]


def test_a_mount_in_any_namespace_keeps_everything(attached: Host) -> None:
    attached.mounted(device.find(UID).map.number, "/mnt/by-hand")  # type: ignore[union-attr]
    assert "/mnt/by-hand" in refused()
    assert len(attached.names()) == 4
    assert not [event for event in attached.events if event.startswith("multipathd")]


@pytest.mark.parametrize("ended", ["77", "78"])
def test_a_process_that_ends_meanwhile_hides_no_mount_of_its_namespace(attached: Host, ended: str) -> None:
    """A probe that kubelet runs in a container, say: whichever is asked first, another sees the same."""
    for process in ("77", "78"):
        number = device.find(UID).map.number  # type: ignore[union-attr]
        attached.mounted(number, "/data", process)
        (attached.root / f"proc/{process}/ns/mnt").unlink()
        (attached.root / f"proc/{process}/ns/mnt").symlink_to("mnt:[a container]")
    (attached.root / f"proc/{ended}/mountinfo").unlink()
    assert "/data" in refused()
    assert len(attached.names()) == 4


def test_a_mounted_bare_path_keeps_everything(host: Host) -> None:
    host.disk("sda", "0:0:0:1", UID)
    host.mounted(scsi.disk("sda").number, "/mnt/raw")  # type: ignore[union-attr]
    assert "/mnt/raw" in refused()
    assert host.names() == ["sda"]


def test_a_device_on_top_keeps_everything(attached: Host) -> None:
    (name,) = [name for name in attached.names() if name.startswith("dm-")]
    (attached.root / f"sys/block/{name}/holders/dm-99").touch()
    assert "dm-99" in refused()
    assert len(attached.names()) == 4


def test_a_program_that_has_it_open_keeps_everything(attached: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(name: str) -> int:
        raise OSError(16, f"{name} is busy")

    monkeypatch.setattr(scsi, "exclusive", busy)
    assert "a program" in refused()
    assert len(attached.names()) == 4


def test_a_mounted_device_that_is_dead_keeps_everything(
    attached: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be opened, so the kernel does not tell whether it is claimed."""
    found = device.find(UID)
    attached.mounted(found.map.number, "/mnt/by-hand")  # type: ignore[union-attr]

    def dead(name: str) -> int:
        raise OSError(errno.ENXIO, name)

    monkeypatch.setattr(scsi, "exclusive", dead)
    assert "/mnt/by-hand" in refused()
    assert len(attached.names()) == 4


def test_a_look_at_all_mounts_that_does_not_end_keeps_no_volume_that_nobody_has(attached: Host) -> None:
    """Any user makes thousands of mounts in namespaces of his own; here one whose table never comes."""
    space = attached.root / "proc/666"
    (space / "ns").mkdir(parents=True)
    (space / "ns/mnt").symlink_to("mnt:[666]")
    os.mkfifo(space / "mountinfo")
    assert ask(3000)[1:] == ("sda", "sdb")


def test_a_name_that_became_another_volumes_is_left_alone(
    attached: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the removal sdb went, and came back as another volume."""
    found = device.find(UID)
    monkeypatch.setattr(device, "find", lambda uid, disks=None: found)
    (attached.root / "sys/bus/scsi/devices/1:0:0:1/vpd_pg83").write_bytes(page(OTHER))
    (attached.root / "page83/sdb").write_text(OTHER)
    monkeypatch.setattr("helper.multipath.flush", lambda *_: True)
    for name in ("sda", "sdb"):
        for holder in (attached.root / f"sys/block/{name}/holders").iterdir():
            holder.unlink()
    assert "sdb" not in ask()
    assert "sdb" in attached.names()


def test_gone_is_said_only_after_a_second_look(attached: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """sysfs shows nothing for an instant while a map is reloaded."""
    true_find, looks = device.find, []

    def find(uid: str, disks: object = None) -> device.Volume:
        looks.append(uid)
        return device.Volume(uid, None, ()) if len(looks) == 1 else true_find(uid)

    monkeypatch.setattr(device, "find", find)
    assert len(ask()) == 3
    assert attached.names() == ["sdc"]


def test_what_is_gone_already_is_success(host: Host) -> None:
    assert ask() == ()
    (host.root / "wwids").write_text(f"/3{UID}/\n")
    assert ask() == ()
    assert f"multipath -w 3{UID}" in host.events


def test_what_is_gone_half_is_finished(host: Host) -> None:
    host.disk("sdb", "1:0:0:1", UID)
    assert ask() == ("sdb",)


def test_one_disk_that_stays_does_not_save_the_others(
    attached: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_delete = scsi.delete

    def delete(held: str, deadline: float) -> bool:
        return os.listdir(f"{held}/block") != ["sda"] and true_delete(held, deadline)

    monkeypatch.setattr(scsi, "delete", delete)
    assert "sda" in refused(15_000)
    assert "sdb" not in attached.names()


def test_a_wwid_that_could_not_be_forgotten_is_no_success_and_forgotten_by_the_next_call(
    attached: Host,
) -> None:
    attached.script("multipath", "kill -9 $$")
    with pytest.raises(Fault, match="multipath ended with status -9"):
        ask()
    assert attached.names() == ["sdc"]
    attached.script("multipath", "exit 0")
    ask()
    assert attached.events[-1] == f"multipath -w 3{UID}"


def test_the_licence_of_a_broken_off_format_goes_with_the_volume_and_not_with_a_detach(
    attached: Host,
) -> None:
    folder = attached.root / "format"
    folder.mkdir()
    (folder / UID).write_text("{}")
    ask()
    assert [
        (reply.uid, reply.formatting) for reply in inspect(InspectRequest(OP), Settings(), more=True)
    ] == [
        (UID, True),
        (OTHER, False),
    ]
    ask(vanished=True)
    assert list(folder.iterdir()) == []
    assert [reply.uid for reply in everything()] == [OTHER]


@pytest.mark.parametrize("there", [True, False])
def test_unmounting_what_was_never_mounted_is_success(tmp_path: Path, there: bool) -> None:
    settings = Settings(roots=(str(tmp_path),))
    target = tmp_path / "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
    (target if there else target.parent.parent).mkdir(parents=True)
    assert unmount(UnmountRequest(OP, str(target)), settings).uid is None
