"""An array that says «not mapped» while a pod runs: nothing is unmounted on its word alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helper import child, device, mounts
from helper.settings import Settings
from helper.target import Place
from helper.unmount import unmount
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId
from instorage.wire.verbs import UnmountReply, UnmountRequest
from tests.helper.host import UID, Host

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]
POD = f"pods/{1:032x}/volumes/inspur~instorage-flexvolume/pvc-1"


class Rig:
    """A mounted volume with two paths, both of which say that the array has no such LUN."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        for name, hctl in (("sda", "0:0:0:1"), ("sdb", "1:0:0:1")):
            host.disk(name, hctl, UID, says="unmapped")
        self.map = host.map(UID, "sda", "sdb")
        self.target = host.mount(monkeypatch, self.map)
        self.number = (host.root / f"sys/block/{self.map}/dev").read_text()
        monkeypatch.setattr(device, "uid_of", lambda _: UID)
        monkeypatch.setattr(mounts, "unmount", lambda _, name: host.note(f"unmount {name}"))
        row = mounts.Row(9, self.number, "/", self.target, ["rw"], "ext4", "/dev/x", ["rw"])
        monkeypatch.setattr(Place, "row", lambda _: None if "unmount pvc-1" in host.events else row)
        (host.root / "proc/self/ns").mkdir()
        for process in ("self", "1"):
            self.sees(process, "the host", f"{self.target} rw shared:20", f"{host.root}/{POD} rw shared:20")

    def sees(self, process: str, space: str, *lines: str) -> None:
        """The mounts of the volume in the namespace of a process: target, options, peer groups."""
        folder = self.host.root / f"proc/{process}"
        (folder / "ns").mkdir(parents=True, exist_ok=True)
        (folder / "ns/mnt").symlink_to(f"mnt:[{space}]")
        rows = [f"9 1 {self.number} / {line} - ext4 /dev/x rw\n" for line in lines]
        (folder / "mountinfo").write_text("".join(rows))

    def ask(self, *, unmapped: bool = True) -> UnmountReply:
        request = UnmountRequest(RequestId("test1"), self.target, unmapped)
        return unmount(request, Settings(roots=(str(self.host.root),)))

    def refused(self) -> str:
        with pytest.raises(Fault) as raised:
            self.ask()
        assert raised.value.code is Code.DEVICE_BUSY, raised.value
        assert not [event for event in self.host.events if event.startswith(("unmount", "multipathd"))]
        return raised.value.sentence


@pytest.fixture
def rig(host: Host, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(host, monkeypatch)


def test_what_every_path_says_is_gone_is_unmounted(rig: Rig) -> None:
    assert rig.ask().uid == UID
    assert "unmount pvc-1" in rig.host.events


def works(rig: Rig) -> None:
    (rig.host.root / "page83/sdb").write_text(UID)


def is_silent(rig: Rig) -> None:
    (rig.host.root / "page83/sdb").unlink()


def is_blocked(rig: Rig) -> None:
    (rig.host.root / "sys/bus/scsi/devices/1:0:0:1/state").write_text("blocked")


@pytest.mark.parametrize("second", [works, is_silent, is_blocked])
def test_nothing_is_unmounted_while_one_path_says_something_else(
    rig: Rig, second: Callable[[Rig], None]
) -> None:
    second(rig)
    assert "not every path says that its LUN is gone" in rig.refused()


def test_nothing_is_unmounted_when_a_path_says_it_for_an_instant_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The array hesitates; a second later the mapping is there."""
    true_gather = child.gather

    def gather(*arguments: object, **more: object) -> list[object]:
        found = true_gather(*arguments, **more)  # type: ignore[arg-type]
        works(rig)
        return list(found)

    monkeypatch.setattr(child, "gather", gather)
    assert "not every path says that its LUN is gone" in rig.refused()


def test_nothing_is_unmounted_while_a_container_holds_it(rig: Rig) -> None:
    """It goes on with the volume, and after a restart it would write to the node's own disk."""
    rig.sees("77", "a container", "/data rw")
    said = rig.refused()
    assert "/data" in said
    assert "process 77" in said


def test_a_container_that_has_the_mount_at_kubelets_path_for_itself_holds_it(rig: Rig) -> None:
    """A private copy: an unmount on the host does not reach it."""
    rig.sees("77", "a container", f"{rig.target} rw")
    assert "process 77" in rig.refused()


def test_a_container_of_another_peer_group_holds_it(rig: Rig) -> None:
    rig.sees("77", "a container", f"{rig.target} rw master:99")
    assert "process 77" in rig.refused()


def test_a_container_that_follows_the_same_mount_as_kubelets_holds_it(rig: Rig) -> None:
    """Both would go with a third one's; with kubelet's own only what follows that goes."""
    for process in ("self", "1"):
        (rig.host.root / f"proc/{process}/ns/mnt").unlink()
        rig.sees(process, "the host", f"{rig.target} rw shared:20 master:5")
    rig.sees("77", "a container", f"{rig.target} rw master:5")
    assert "process 77" in rig.refused()


def test_two_mounts_that_are_in_no_peer_group_have_none_in_common(rig: Rig) -> None:
    for process in ("self", "1"):
        (rig.host.root / f"proc/{process}/ns/mnt").unlink()
        rig.sees(process, "the host", f"{rig.target} rw unbindable")
    rig.sees("77", "a container", f"{rig.target} rw unbindable")
    assert "process 77" in rig.refused()


@pytest.mark.parametrize("how", ["master:20", "shared:20", "shared:31 master:20"])
def test_a_namespace_whose_mount_goes_with_kubelets_holds_nothing(rig: Rig, how: str) -> None:
    rig.sees("77", "a container", f"{rig.target} rw {how}")
    assert rig.ask().uid == UID


def test_a_mount_by_hand_on_the_host_holds_it(rig: Rig) -> None:
    for process in ("self", "1"):
        (rig.host.root / f"proc/{process}/ns/mnt").unlink()
        rig.sees(process, "the host", f"{rig.target} rw shared:20", "/mnt/by-hand rw shared:20")
    assert "/mnt/by-hand" in rig.refused()


def test_a_device_that_is_built_on_it_holds_it(rig: Rig) -> None:
    (rig.host.root / f"sys/block/{rig.map}/holders/dm-99").touch()
    assert "dm-99" in rig.refused()


def test_an_unmount_that_nobody_gives_a_reason_for_asks_no_path_first(rig: Rig) -> None:
    works(rig)
    rig.sees("77", "a container", "/data rw")
    assert rig.ask(unmapped=False).uid == UID
