"""What a device is stays proven until it is used, and a name that was given again is not touched."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from helper import child, identity, scsi
from helper import mount as mounting
from helper.detach import detach
from helper.settings import Settings
from instorage.wire.fault import Code
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest, Multipath
from tests.helper.host import OTHER, UID, Host
from tests.helper.mounting import MOUNTED, Rig

pytestmark = pytest.mark.subprocess


@pytest.fixture
def rig(host: Host, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The volume with a map of sda; what would format it is noted."""
    rig = Rig(host, monkeypatch)

    def prepare(*_: object) -> tuple[str, bool]:
        host.note("format")
        return "ext4", False

    monkeypatch.setattr(mounting, "prepare", prepare)
    return rig


def the_map(host: Host) -> str:
    return next(name for name in host.names() if name.startswith("dm-"))


def untouched(rig: Rig) -> bool:
    return not rig.did("format", "fsck", "mount")


def test_a_disk_that_becomes_another_volume_just_before_it_is_held_is_not_formatted_or_mounted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, true_open = str(rig.host.root / "dev" / the_map(rig.host)), os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == device and flags == os.O_RDONLY:
            (rig.host.root / "page83/sda").write_text(OTHER)
        return true_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    assert OTHER in rig.refused(Code.WRONG_DEVICE)
    assert untouched(rig)


def test_a_map_is_not_proven_by_a_disk_outside_of_it(rig: Rig) -> None:
    rig.host.disk("sdb", "1:0:0:1", UID)
    (rig.host.root / "page83/sda").unlink()
    assert "sda does not answer" in rig.refused(Code.NO_PATH)
    assert untouched(rig)


def member(host: Host, name: str, uid: str, *, silent: bool) -> None:
    host.disk(name, "9:0:0:9", uid)
    (host.root / f"sys/block/{the_map(host)}/slaves/{name}").touch()
    if silent:
        (host.root / f"page83/{name}").unlink()


def test_a_silent_member_that_was_another_volume_is_not_trusted(rig: Rig) -> None:
    """Once it answers, multipathd would use it."""
    member(rig.host, "sdx", OTHER, silent=True)
    said = rig.refused(Code.WRONG_DEVICE)
    assert "sdx" in said
    assert OTHER in said
    assert untouched(rig)


def test_a_member_that_hangs_and_was_another_volume_is_not_trusted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot even say that it does not answer: only what sysfs remembers speaks against it."""
    member(rig.host, "sdx", OTHER, silent=False)
    true_page83 = identity.page83
    monkeypatch.setattr(
        identity, "page83", lambda name: time.sleep(60) if name == "sdx" else true_page83(name)
    )
    monkeypatch.setattr(mounting, "_soon", lambda *_: time.monotonic() + 2)
    said = rig.refused(Code.WRONG_DEVICE)
    assert "sdx" in said
    assert OTHER in said
    assert untouched(rig)


def test_a_silent_member_that_was_this_volume_stops_nobody(rig: Rig) -> None:
    member(rig.host, "sdx", UID, silent=True)
    rig.ask()
    assert rig.did("mount")


def test_a_map_is_not_mounted_while_a_path_beside_it_is(rig: Rig) -> None:
    """multipathd was away at the attach, the path was mounted, and then the map made of the other."""
    rig.host.disk("sdb", "1:0:0:1", UID)
    rig.host.mounted(scsi.disk("sdb").number, "/data/kubelet/pvc-1")  # type: ignore[union-attr]
    assert "/data/kubelet/pvc-1" in rig.refused(Code.DEVICE_BUSY)
    assert untouched(rig)


def test_where_a_map_is_demanded_a_mount_of_a_path_alone_is_no_success(rig: Rig) -> None:
    rig.host.disk("sdb", "1:0:0:1", UID)
    row = MOUNTED._replace(number=scsi.disk("sdb").number)  # type: ignore[union-attr]
    rig.rows = [row]
    assert "single path" in rig.refused(Code.NO_MULTIPATH, multipath=Multipath.REQUIRED)
    rig.rows = [row]
    assert rig.ask().already, "nobody demands a map"


def test_a_name_that_was_given_again_between_look_and_removal_is_not_deleted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.disk("sda", "0:0:0:1", UID)
    host.map(UID, "sda")
    true_exclusive = scsi.exclusive

    def exclusive(name: str) -> int:
        if name == "sda":  # the last question before the removal
            scsi._write(f"{scsi.SYS}/block/sda/device/delete", "1")
            child.until(lambda: "sda" not in host.names(), time.monotonic() + 20)
            host.disk("sda", "5:0:0:7", OTHER)
        return true_exclusive(name)

    monkeypatch.setattr(scsi, "exclusive", exclusive)
    detach(DetachRequest(RequestId("test1"), VolumeUid.parse(UID), 20_000), Settings())
    assert host.events.count("delete sda") == 1, "the test's own"
    assert scsi.disk("sda").uid == OTHER  # type: ignore[union-attr]
