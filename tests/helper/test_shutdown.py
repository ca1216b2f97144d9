"""A node that goes down ends who writes to volumes, and unmounts them; no other does (safety.md 23)."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helper import device, mounts, scsi, shutdown
from helper.settings import Settings
from helper.target import Place
from tests.helper.host import OTHER, UID, Host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess

DEVICE = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts"
POD = f"pods/{1:032x}/volumes/inspur~instorage-flexvolume"


class Rig:
    """Two volumes, each on its device mount and in a pod; `obeys`: the signals that end a process here."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, self.obeys, self.stays = host, {signal.SIGTERM, signal.SIGKILL}, ""
        self.numbers: dict[str, str] = {}
        rows = []
        for index, uid in enumerate((UID, OTHER), start=1):
            name = f"sd{chr(96 + index)}"
            host.disk(name, f"{index}:0:0:1", uid)
            self.numbers[uid] = number = scsi.disk(name).number  # type: ignore[union-attr]
            for at in (f"{DEVICE}/pvc-{index}", f"{POD}/pvc-{index}"):
                (host.root / at).mkdir(parents=True)
                rows.append(f"{number} / {host.root}/{at} rw shared:20")
        (host.root / "proc/self/ns").mkdir()
        for process in ("self", "1"):
            self.sees(process, "the host", *rows)
        host.script("systemctl", "echo stopping; exit 1")
        uids = {number: uid for uid, number in self.numbers.items()}
        monkeypatch.setattr(device, "uid_of", lambda number: uids.get(number, ""))
        monkeypatch.setattr(Place, "row", lambda place: self._row(place.target.text))
        monkeypatch.setattr(mounts, "unmount", self._unmount)
        monkeypatch.setattr(os, "kill", self._kill)
        settings = Settings(roots=(str(host.root),))
        monkeypatch.setattr("helper.settings.loaded", lambda: settings)
        for name, seconds in (("ALL", 3.0), ("_TERM", 0.3), ("_KILL", 0.3)):
            monkeypatch.setattr(shutdown, name, seconds)

    def sees(self, process: str, space: str, *rows: str) -> None:
        """The mounts in the namespace of a process: number, root, target, options, peer groups."""
        folder = self.host.root / f"proc/{process}"
        (folder / "ns").mkdir(parents=True, exist_ok=True)
        (folder / "ns/mnt").unlink(missing_ok=True)
        (folder / "ns/mnt").symlink_to(f"mnt:[{space}]")
        lines = [f"9 1 {row} - ext4 /dev/x rw\n" for row in rows]
        (folder / "mountinfo").write_text("".join(lines))

    def _row(self, target: str) -> mounts.Row | None:
        return next((row for row in mounts.table() if row.target == target), None)

    def _unmount(self, parent: int, name: str) -> bool:
        """End a mount and those that go with it; volumes are unmounted side by side."""
        target = f"{os.readlink(f'/proc/self/fd/{parent}')}/{name}"
        self.host.note(f"unmount {os.path.relpath(target, self.host.root)}")
        if target == self.stays:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        with (self.host.root / "turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for table in self.host.root.glob("proc/*/mountinfo"):
                lines = table.read_text().splitlines(keepends=True)
                new = table.with_name("new")
                new.write_text("".join(one for one in lines if f" {target} " not in one or ":20 " not in one))
                new.replace(table)
        return False

    def _kill(self, pid: int, number: int) -> None:
        self.host.note(f"kill {pid} {signal.Signals(number).name}")
        if number in self.obeys:
            shutil.rmtree(self.host.root / f"proc/{pid}")

    def did(self, *words: str) -> list[str]:
        return [event for event in self.host.events if event.startswith(words)]

    @property
    def root(self) -> Path:
        return self.host.root


@pytest.fixture
def rig(host: Host, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(host, monkeypatch)


@pytest.mark.parametrize("said", ["running", "degraded", "starting", "maintenance", "offline", ""])
def test_nothing_is_done_unless_the_node_goes_down(
    rig: Rig, capfd: pytest.CaptureFixture[str], said: str
) -> None:
    """The unit is stopped by hand, or a package is being updated."""
    rig.host.script("systemctl", f"echo {said}; exit 1")
    rig.sees("77", "a container", f"{rig.numbers[UID]} / /data rw")
    assert shutdown.main() == 0
    assert rig.host.events == ["systemctl is-system-running"]
    assert "stay mounted" in capfd.readouterr().err


def test_pods_mounts_end_before_the_device_mount(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    assert shutdown.main() == 0
    for name in ("pvc-1", "pvc-2"):
        done = [event for event in rig.did("unmount") if event.endswith(name)]
        assert done == [f"unmount {POD}/{name}", f"unmount {DEVICE}/{name}"]
    assert rig.did("kill") == []
    assert capfd.readouterr().err == ""


def test_all_processes_of_a_container_that_holds_a_volume_are_asked_to_end(rig: Rig) -> None:
    for process in ("77", "78"):
        rig.sees(process, "a container", f"{rig.numbers[UID]} / /data rw")
    rig.sees("90", "another container", "8:99 / /data rw")
    assert shutdown.main() == 0
    kills = rig.did("kill")
    assert sorted(kills) == ["kill 77 SIGTERM", "kill 78 SIGTERM"]
    assert rig.did("kill", "unmount")[:2] == kills, "what is written after the unmount is lost"
    assert len(rig.did("unmount")) == 4


def test_who_does_not_end_when_asked_to_is_killed(rig: Rig) -> None:
    rig.obeys = {signal.SIGKILL}
    rig.sees("77", "a container", f"{rig.numbers[OTHER]} / /data rw")
    assert shutdown.main() == 0
    assert rig.did("kill", "unmount")[:2] == ["kill 77 SIGTERM", "kill 77 SIGKILL"]
    assert len(rig.did("unmount")) == 4


@pytest.mark.parametrize("how", ["master:20", "shared:20"])
def test_a_namespace_that_only_follows_is_left_alone(rig: Rig, how: str) -> None:
    """A unit of the node with a file system of its own, as PrivateTmp= makes it."""
    rig.sees("77", "a unit", f"{rig.numbers[UID]} / {rig.root}/{DEVICE}/pvc-1 rw {how}")
    assert shutdown.main() == 0
    assert rig.did("kill") == []
    assert len(rig.did("unmount")) == 4


def test_the_hosts_own_processes_are_not_ended_for_a_mount_by_hand(
    rig: Rig, capfd: pytest.CaptureFixture[str]
) -> None:
    by_hand = f"{rig.numbers[UID]} / /mnt/by-hand rw shared:21"
    for process in ("self", "1"):
        with (rig.root / f"proc/{process}/mountinfo").open("a") as table:
            table.write(f"9 1 {by_hand} - ext4 /dev/x rw\n")
    assert shutdown.main() == 0
    assert rig.did("kill") == []
    assert len(rig.did("unmount")) == 4
    (said,) = capfd.readouterr().err.splitlines()
    assert UID in said
    assert "/mnt/by-hand" in said


def test_a_mount_that_fails_does_not_keep_the_others(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    rig.stays = f"{rig.root}/{POD}/pvc-1"
    assert shutdown.main() == 0
    assert sorted(rig.did(f"unmount {DEVICE}")) == [f"unmount {DEVICE}/pvc-{number}" for number in (1, 2)]
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(f"Volume {UID} is left as it is: ")
    assert "busy" in said


def test_a_look_for_who_holds_volumes_that_hangs_leaves_time_to_unmount(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutdown, "_LOOKS", 0.3)
    rig.obeys = set()
    monkeypatch.setattr(mounts, "seen", lambda _: time.sleep(20))
    began = time.monotonic()
    assert shutdown.main() == 0
    assert time.monotonic() - began < 10
    assert len(rig.did("unmount")) == 4
    assert "Not everybody who uses a volume could be ended" in capfd.readouterr().err
