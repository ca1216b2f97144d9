"""What could not be written is said, and queueing that was ended for nothing goes on (safety.md 10)."""

from __future__ import annotations

import ctypes
import errno
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from helper import device, mounts, multipath
from helper.detach import detach
from helper.settings import Settings
from helper.target import Place
from helper.unmount import unmount
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachReply, DetachRequest, UnmountReply, UnmountRequest
from tests.helper.host import OTHER, UID, Host

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.subprocess
OP = RequestId("test1")


class Libc:
    """Answers of the kernel to syncfs(2) and umount2(2): an error number, 0 for success."""

    def __init__(self, host: Host, sync: int = 0, unmount: int = 0) -> None:
        self._host, self._sync, self._unmount = host, sync, unmount

    def syncfs(self, _: int) -> int:
        return self._said("syncfs", self._sync)

    def umount2(self, name: bytes, _: int) -> int:
        return self._said(f"unmount {name.decode()}", self._unmount)

    def _said(self, what: str, error: int) -> int:
        self._host.note(what)
        ctypes.set_errno(error)
        return -1 if error else 0


class Rig:
    """A volume with two paths and a map, mounted until it is unmounted."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, self._patch = host, monkeypatch
        for name, hctl in (("sda", "0:0:0:1"), ("sdb", "1:0:0:1")):
            host.disk(name, hctl, UID)
        self.map = host.map(UID, "sda", "sdb")
        self.target = host.mount(monkeypatch, self.map)
        monkeypatch.setattr(device, "uid_of", lambda _: UID)
        row = mounts.Row(9, "1:1", "/", self.target, ["rw"], "ext4", "/dev/x", ["rw"])
        unmounted = f"unmount {os.path.basename(self.target)}"
        monkeypatch.setattr(Place, "row", lambda _: None if unmounted in host.events else row)

    def unmount(self, **errors: int) -> UnmountReply:
        self._patch.setattr(mounts, "libc", Libc(self.host, **errors))
        return unmount(UnmountRequest(OP, self.target), Settings(roots=(str(self.host.root),)))

    def detach(self, wait_ms: int = 4000) -> DetachReply:
        return detach(DetachRequest(OP, VolumeUid.parse(UID), wait_ms), Settings())

    def told(self) -> list[str]:
        """What multipathd was told of the map."""
        words = [event.split() for event in self.host.events if event.startswith("multipathd")]
        return [word[1] for word in words]

    @property
    def said(self) -> list[str]:
        return [event for event in self.host.events if event.startswith("journal 3 ")]


@pytest.fixture
def rig(host: Host, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(host, monkeypatch)


def refused(deed: Callable[[], object]) -> str:
    with pytest.raises(Fault) as raised:
        deed()
    assert raised.value.code is Code.DEVICE_BUSY, raised.value
    return raised.value.sentence


def test_an_unmount_that_lost_writes_says_so_and_unmounts(rig: Rig) -> None:
    reply = rig.unmount(sync=errno.EIO)
    assert "unmount pvc-1" in rig.host.events
    (said,) = rig.said
    assert UID in said
    assert rig.target in said
    assert reply == UnmountReply(VolumeUid.parse(UID), lost=True)


def test_an_unmount_that_lost_nothing_says_nothing(rig: Rig) -> None:
    reply = rig.unmount()
    assert rig.said == []
    assert reply == UnmountReply(VolumeUid.parse(UID), lost=False)


def test_a_file_system_that_cannot_even_be_opened_has_lost_writes_and_goes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_open = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == "pvc-1" and not flags & os.O_PATH:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    reply = rig.unmount()
    assert len(rig.said) == 1
    assert reply.lost


def test_a_detach_that_lost_writes_says_so_and_removes_everything(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", dead)
    reply = rig.detach()
    assert rig.host.names() == []
    (said,) = rig.said
    assert UID in said
    assert reply == DetachReply((rig.map, "sda", "sdb"), lost=True)


def test_a_dead_disk_beside_the_map_has_lost_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.host.disk("sdc", "2:0:0:1", UID)
    fsync = os.fsync

    def dead(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/sdc"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", dead)
    reply = rig.detach()
    assert rig.said == []
    assert reply == DetachReply((rig.map, "sda", "sdb", "sdc"), lost=False)


def test_a_disk_that_has_the_name_of_a_removed_one_keeps_no_detach_waiting(host: Host) -> None:
    host.disk("sda", "0:0:0:1", OTHER)
    begun = time.monotonic()
    assert multipath.paths(UID, begun + 20).isdisjoint({"sda"})
    assert multipath.paths(OTHER, begun + 20) == {"sda"}
    assert time.monotonic() - begun < 10


def test_a_detach_that_lost_nothing_says_nothing(rig: Rig) -> None:
    reply = rig.detach()
    assert rig.said == []
    assert reply == DetachReply((rig.map, "sda", "sdb"), lost=False)


def test_a_map_that_cannot_be_removed_queues_again(rig: Rig) -> None:
    """Who opened it just now must not meet an error at the next outage."""
    rig.host.busy_maps.add(f"3{UID}")
    refused(lambda: rig.detach(1500))
    told = rig.told()
    assert told[0] == "disablequeueing"
    assert told[-1] == "restorequeueing"
    assert len(rig.host.names()) == 3


def test_a_map_that_a_program_has_open_is_not_touched_at_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not exclusively, so that no O_EXCL would show it."""
    monkeypatch.setattr("helper.users._LET_GO", 0.2)
    rig.host.opens[rig.map] = 1
    assert rig.map in refused(rig.detach)
    assert rig.told() == []
    assert len(rig.host.names()) == 3


def test_a_program_that_lets_go_in_a_moment_stops_no_detach(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev looks into a device that was just closed."""
    looked = rig.host.root / "looked"

    def count(_: str) -> int:
        first = not looked.exists()
        looked.touch()
        return int(first)

    monkeypatch.setattr("helper.multipath.open_count", count)
    assert len(rig.detach().removed) == 3


@pytest.mark.parametrize("error", [errno.EBUSY, 0])
def test_an_unmount_that_is_refused_queues_again(rig: Rig, error: int) -> None:
    for name in ("sda", "sdb"):
        (rig.host.root / "page83" / name).write_text("unmapped")
    if error:
        refused(lambda: rig.unmount(unmount=error))
    else:
        rig.unmount()
    assert rig.told() == ["disablequeueing"] + ["restorequeueing"] * bool(error)
