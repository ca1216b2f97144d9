"""kpartx's maps of a volume's partitions go with the volume, unless somebody uses one (safety.md 10)."""

from __future__ import annotations

import errno
import os

import pytest

from helper import scsi
from helper.detach import detach
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest, InspectRequest
from tests.helper.host import OTHER, UID, Host

pytestmark = pytest.mark.subprocess
OP, VOLUME = RequestId("test1"), VolumeUid.parse(UID)
PART = "dm-50"


@pytest.fixture
def partitioned(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The volume with a map, and the map of its first partition over that."""
    monkeypatch.setattr("helper.users._LET_GO", 0.2)
    host.disk("sda", "0:0:0:1", UID)
    above(host, host.map(UID, "sda"), PART, f"part1-mpath-3{UID}", f"3{UID}-part1")
    return host


def above(host: Host, below: str, name: str, uuid: str, label: str) -> None:
    """A dm device that is built on another."""
    at = host.root / f"sys/block/{name}"
    for folder in ("dm", "holders", "slaves"):
        (at / folder).mkdir(parents=True)
    (at / "dev").write_text(f"253:{name[3:]}")
    (at / "dm/uuid").write_text(uuid)
    (at / "dm/name").write_text(label)
    (at / "slaves" / below).touch()
    (host.root / f"sys/block/{below}/holders/{name}").touch()
    (host.root / f"dev/{name}").touch()


def the_map(host: Host) -> str:
    return next(name for name in host.names() if name.startswith("dm-") and name not in (PART, "dm-60"))


def refused(host: Host) -> str:
    before = host.names()
    with pytest.raises(Fault) as raised:
        detach(DetachRequest(OP, VOLUME, 4000), Settings())
    assert raised.value.code is Code.DEVICE_BUSY, raised.value
    assert host.names() == before
    assert not [event for event in host.events if event.startswith(("multipathd", "delete"))]
    return raised.value.sentence


@pytest.mark.parametrize("uuid", [f"part1-mpath-3{UID}", f"part12-mpath-3{UID.upper()}"])
def test_one_that_nobody_uses_does_not_keep_the_volume(partitioned: Host, uuid: str) -> None:
    (partitioned.root / f"sys/block/{PART}/dm/uuid").write_text(uuid)
    found = the_map(partitioned)
    removed = detach(DetachRequest(OP, VOLUME, 4000), Settings()).removed
    assert removed == (found, "sda")


def test_a_mounted_one_keeps_it(partitioned: Host) -> None:
    partitioned.mounted("253:50", "/mnt/root-of-a-vm")
    assert "/mnt/root-of-a-vm" in refused(partitioned)


def test_one_that_is_built_on_keeps_it_and_is_named_as_people_know_it(partitioned: Host) -> None:
    above(partitioned, PART, "dm-60", "LVM-abc", "vg-data")
    assert "dm-60 (vg-data)" in refused(partitioned)


def test_a_claimed_one_keeps_it(partitioned: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted where no process sees it."""
    true_exclusive = scsi.exclusive

    def exclusive(name: str) -> int:
        if name == PART:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return true_exclusive(name)

    monkeypatch.setattr(scsi, "exclusive", exclusive)
    assert f"{PART} (3{UID}-part1)" in refused(partitioned)


def test_an_open_one_keeps_it(partitioned: Host) -> None:
    partitioned.opens[PART] = 1
    assert PART in refused(partitioned)


@pytest.mark.parametrize("uuid", [f"part1-mpath-3{OTHER}", "CRYPT-LUKS2-x", f"xpart1-mpath-3{UID}"])
def test_another_device_on_the_map_keeps_it(partitioned: Host, uuid: str) -> None:
    (partitioned.root / f"sys/block/{PART}/dm/uuid").write_text(uuid)
    assert f"{PART} (3{UID}-part1)" in refused(partitioned)


def test_a_mounted_partition_of_a_disk_keeps_the_volume(host: Host) -> None:
    """The kernel's own partitions: there was no map when the disk came."""
    host.disk("sda", "0:0:0:1", UID)
    part = host.root / "sys/block/sda/sda1"
    (part / "holders").mkdir(parents=True)
    (part / "partition").write_text("1")
    (part / "dev").write_text("8:99")
    host.mounted("8:99", "/mnt/first")
    assert "/mnt/first" in refused(host)


def test_inspect_names_holders_as_people_know_them(partitioned: Host) -> None:
    def holders() -> tuple[str, ...]:
        (reply,) = inspect(InspectRequest(OP, VOLUME), Settings(), more=False)
        return reply.holders

    assert holders() == ()
    above(partitioned, PART, "dm-60", "LVM-abc", "vg-data")
    assert holders() == ("dm-60 (vg-data)",)
