"""A map that comes late is waited for, and asked for once more: a mounted bare disk never gets one."""

from __future__ import annotations

import threading
import time

import pytest

from helper import mount as mounting
from helper.attach import attach
from helper.mounts import Row
from helper.settings import Settings
from helper.target import Place
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import (
    AttachReply,
    AttachRequest,
    IscsiPath,
    MountReply,
    MountRequest,
    Multipath,
)
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET

pytestmark = pytest.mark.subprocess

PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")
OP, VOLUME, SIZE = RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(GIB)
PATIENCE = 3.0  # seconds
NUMBER = "0:0"  # what a plain file in the place of a device has


class Slow:
    """multipathd that answers, and makes no map before `when`."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, self.when, self._obey = host, float("inf"), host._obey
        monkeypatch.setattr(host, "_obey", self._late)
        for number, portal in enumerate(PORTALS):
            host.session(number, portal)

    def _late(self, asked: str) -> str:
        if not asked.startswith("add map"):
            return self._obey(asked)
        self.host.note(f"multipathd {asked}")
        if time.monotonic() < self.when:
            return "ok"
        (self.host.root / f"sys/block/{self.host.map(UID, 'sda', 'sdb')}/dev").write_text(NUMBER)
        return "ok"

    def disks(self) -> None:
        for number, name in enumerate(("sda", "sdb")):
            self.host.disk(name, f"{number}:0:0:1", UID)


@pytest.fixture
def slow(host: Host, monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(host, monkeypatch)


def ask(*portals: str) -> tuple[AttachReply, float]:
    paths = tuple(IscsiPath(Portal.parse(one), Iqn.parse(TARGET), Lun.parse(1)) for one in portals)
    begun = time.monotonic()
    request = AttachRequest(OP, VOLUME, SIZE, paths, Multipath.PREFERRED, int(PATIENCE * 1000))
    return attach(request, Settings()), time.monotonic() - begun


@pytest.mark.slow
def test_with_two_disks_the_patience_is_spent_on_the_map_and_the_reply_says_that_there_is_none(
    slow: Slow,
) -> None:
    slow.disks()
    reply, taken = ask(*PORTALS)
    assert taken > PATIENCE * 0.88
    assert (reply.multipath, len(reply.found)) == (False, 2)
    assert "/wwn-0x" in reply.device


@pytest.mark.slow
def test_a_map_that_comes_late_in_the_patience_is_taken(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.disks()
    timer = threading.Timer(PATIENCE * 0.8, lambda: slow.host.map(UID, "sda", "sdb"))
    timer.start()
    reply, _ = ask(*PORTALS)
    timer.join()
    assert reply.multipath
    assert "/dm-uuid-mpath-3" in reply.device


class Mounting:
    """Two disks without a map are to be mounted."""

    def __init__(self, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, root = slow.host, slow.host.root
        slow.disks()
        (root / "sys/block/sda/dev").write_text(NUMBER)
        target = root / "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
        target.mkdir(parents=True)
        self.target, self._settings = str(target), Settings(roots=(str(root),))
        row = Row(9, NUMBER, "/", self.target, ["rw"], "ext4", "/dev/x", ["rw"])
        monkeypatch.setattr(mounting, "prepare", lambda *_: ("ext4", False))
        monkeypatch.setattr(Place, "row", lambda _: row if "mount" in self.host.events else None)
        monkeypatch.setattr("helper.mounts.mount", lambda *_: self.host.note("mount"))
        monkeypatch.setattr(mounting, "_MAP", 0.5, raising=False)

    def ask(self, multipath: Multipath = Multipath.PREFERRED, uid: VolumeUid = VOLUME) -> MountReply:
        request = MountRequest(OP, uid, SIZE, self.target, FsType.parse("ext4"), False, False, multipath)
        return mounting.mount(request, self._settings)


@pytest.fixture
def bare(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> Mounting:
    return Mounting(slow, monkeypatch)


def tried(host: Host) -> int:
    return host.events.count(f"multipathd add map 3{UID}")


def test_a_mount_asks_for_the_map_once_more_and_uses_it(bare: Mounting, slow: Slow) -> None:
    slow.when = 0
    reply = bare.ask()
    assert tried(slow.host) == 1
    assert "/dm-uuid-mpath-3" in reply.device
    assert (reply.multipath, reply.paths) == (True, 2)


def test_a_mount_without_a_map_says_over_how_many_paths_it_could_be(bare: Mounting, slow: Slow) -> None:
    reply = bare.ask()
    assert tried(slow.host) >= 1
    assert "/wwn-0x" in reply.device
    assert (reply.multipath, reply.paths) == (False, 2)


def test_where_a_map_is_demanded_a_mount_waits_for_it_and_then_refuses(bare: Mounting, slow: Slow) -> None:
    with pytest.raises(Fault) as refused:
        bare.ask(Multipath.REQUIRED)
    assert refused.value.code is Code.NO_MULTIPATH
    assert tried(slow.host) >= 1
    assert "mount" not in slow.host.events


def test_a_volume_that_is_not_here_is_not_said_to_lack_its_map(bare: Mounting) -> None:
    with pytest.raises(Fault) as refused:
        bare.ask(Multipath.REQUIRED, VolumeUid.parse(OTHER))
    assert refused.value.code is Code.NO_PATH
    assert "attach it first" in refused.value.sentence


def test_another_volumes_disk_is_put_into_no_map(bare: Mounting, slow: Slow) -> None:
    slow.when = 0
    (slow.host.root / "page83/sdb").write_text("6" + "f" * 31)
    with pytest.raises(Fault) as refused:
        bare.ask()
    assert refused.value.code is Code.WRONG_DEVICE
    assert tried(slow.host) == 0
    assert "mount" not in slow.host.events
