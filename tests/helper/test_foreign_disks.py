"""Disks that are not this volume's stay: another maker's, another product's, another volume's in use."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import identity, scsi
from helper.attach import attach
from helper.detach import detach
from helper.inventory import inspect
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import (
    AttachReply,
    AttachRequest,
    DetachRequest,
    InspectRequest,
    IscsiPath,
    Multipath,
)
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.subprocess
OP, VOLUME = RequestId("test1"), VolumeUid.parse(UID)
OPENED = Path("/dev/null")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helper.users._LET_GO", 0.2)


@pytest.fixture
def asked(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A session; whose page 0x83 is asked for is noted."""
    host.session(0, "10.9.0.1:3260")

    def page83(name: str) -> str:
        host.note(f"asked {name}")
        return host.page83(name)

    monkeypatch.setattr(identity, "page83", page83)
    return host


def ask(seconds: int = 3) -> AttachReply:
    path = IscsiPath(Portal.parse("10.9.0.1:3260"), Iqn.parse(TARGET), Lun.parse(1))
    request = AttachRequest(OP, VOLUME, Bytes.parse(GIB), (path,), Multipath.PREFERRED, seconds * 1000)
    return attach(request, Settings())


def refused(code: Code) -> str:
    with pytest.raises(Fault) as raised:
        ask()
    assert raised.value.code is code, raised.value
    return raised.value.sentence


def everything() -> list[str | None]:
    return [reply.uid for reply in inspect(InspectRequest(OP), Settings(), more=True)]


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("maker", ["NETAPP LUN", "INSPUR PM8204"])
def test_a_disk_of_another_maker_or_product_at_the_asked_place_stays_and_is_not_asked(
    asked: Host, maker: str, silent: bool
) -> None:
    """An Inspur server's own RAID has the vendor INSPUR, too."""
    asked.disk("sda", "0:0:0:1", OTHER, maker=maker)
    if silent:
        (asked.root / "page83/sda").unlink()
    refused(Code.NOT_OURS)
    assert asked.names() == ["sda"]
    assert not {"asked sda", "delete sda"} & set(asked.events)


def test_an_inspur_servers_own_disk_is_neither_shown_nor_removed(host: Host) -> None:
    """It has an identifier like a volume's."""
    host.disk("sda", "0:2:0:0", UID, maker="INSPUR PM8204")
    assert everything() == [None]
    assert detach(DetachRequest(OP, VOLUME, 1000), Settings()).removed == ()
    assert host.names() == ["sda"]


def test_another_volumes_disk_that_a_program_has_open_is_not_deleted(asked: Host) -> None:
    """Not exclusively: only /proc shows it."""
    asked.disk("sda", "0:0:0:1", OTHER)
    number = OPENED.stat().st_rdev
    (asked.root / "sys/block/sda/dev").write_text(f"{os.major(number)}:{os.minor(number)}")
    descriptors = asked.root / "proc/77/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "6").symlink_to(OPENED)
    said = refused(Code.WRONG_DEVICE)
    assert asked.names() == ["sda"]
    assert "a program that has /dev/null open (process 77)" in said
    assert "end that first" in said


def test_a_process_that_ends_while_it_is_looked_at_is_no_reason_to_refuse(
    asked: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory opens and cannot be read to its end: «cannot be found out», seen on a slow machine."""
    asked.disk("sda", "0:0:0:1", OTHER)
    asked.luns[0, 0, 1] = (UID, GIB)
    ended = asked.root / "proc/78/fd"
    ended.mkdir(parents=True)
    listed, scanned = os.listdir, os.scandir

    def look(how: Callable[..., Any], *at: object) -> Any:
        if [str(one) for one in at] == [str(ended)]:
            raise FileNotFoundError(2, "No such file or directory", str(ended))
        return how(*at)

    monkeypatch.setattr(os, "listdir", partial(look, listed))
    monkeypatch.setattr(os, "scandir", partial(look, scanned))
    assert ask().found == ("sdm",)


def test_a_stale_disk_that_udev_looks_at_for_long_is_replaced_all_the_same(asked: Host) -> None:
    """On a loaded node it has a disk that was just found open for longer than a moment (6 s, seen)."""
    asked.disk("sda", "0:0:0:1", OTHER)
    asked.luns[0, 0, 1] = (UID, GIB)
    number = OPENED.stat().st_rdev
    (asked.root / "sys/block/sda/dev").write_text(f"{os.major(number)}:{os.minor(number)}")
    descriptors = asked.root / "proc/77/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "6").symlink_to(OPENED)
    timer = threading.Timer(1, (descriptors / "6").unlink)
    timer.start()
    reply = ask(15)
    timer.join()
    assert reply.found == ("sdm",)
    assert "delete sda" in asked.events


def test_another_volumes_disk_that_is_just_being_mounted_is_not_deleted(asked: Host) -> None:
    """Its Mount has looked for users, and has not opened it yet."""
    asked.disk("sda", "0:0:0:1", OTHER)
    with hold(OTHER, "mount1", time.monotonic() + 5):
        said = refused(Code.WRONG_DEVICE)
    assert "operation mount1" in said
    assert asked.names() == ["sda"]
    assert "delete sda" not in asked.events


def test_attaches_that_remove_disks_of_one_volume_do_not_wait_for_each_other(asked: Host) -> None:
    asked.disk("sda", "0:0:0:1", OTHER)
    asked.luns[0, 0, 1] = (UID, GIB)
    with hold(OTHER, "attach1", time.monotonic() + 5, fcntl.LOCK_SH):
        assert ask().found == ("sdm",)


def test_a_silent_path_of_this_very_volume_is_not_to_be_detached_first(asked: Host) -> None:
    """That would be the end of a pod's volume that lives on its other path."""
    asked.disk("sda", "0:0:0:1", UID)
    asked.mounted(scsi.disk("sda").number, "/data/pvc-1")  # type: ignore[union-attr]
    (asked.root / "page83/sda").unlink()
    said = refused(Code.NO_PATH)
    assert "must answer again" in said
    assert "detach" not in said
    assert "end that first" not in said
    assert asked.names() == ["sda"]


def test_a_disk_without_a_volumes_identifier_hides_no_other(host: Host) -> None:
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "0:0:0:2", "")
    (host.root / "sys/bus/scsi/devices/0:0:0:2/wwid").write_text("t10.INSPUR  MCS  0001")
    assert everything() == [UID]


def test_an_editors_copy_beside_the_records_of_formats_hides_no_volume(host: Host) -> None:
    host.disk("sda", "0:0:0:1", UID)
    (host.root / "format").mkdir(mode=0o700)
    for name in (f"{UID}~", OTHER):
        (host.root / "format" / name).write_text("{}")
    assert everything() == [UID, OTHER]
