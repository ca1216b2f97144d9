"""A device that a program has open, without a mount or a claim, is somebody's (safety.md 1)."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from helper import mount as mounting
from instorage.wire.fault import Code
from tests.helper.mounting import MOUNTED, Rig, rig

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["rig"]
pytestmark = pytest.mark.subprocess


@pytest.fixture
def opened(rig: Rig, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program has the map, or a bare disk, open without a claim; return what /proc shows of that."""
    monkeypatch.setattr(mounting, "_LET_GO", 0.2, raising=False)
    descriptors = rig.host.root / "proc/77/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "6").symlink_to("/dev/null")
    (name,) = (one for one in rig.host.names() if one.startswith("dm-"))
    if request.param == "map":
        rig.host.opens[name] = 1
    else:
        shutil.rmtree(rig.host.root / f"sys/block/{name}")
        (rig.host.root / f"sys/block/sda/holders/{name}").unlink()
        (rig.host.root / "dev/sda").unlink()
        (rig.host.root / "dev/sda").symlink_to("/dev/null")
        number = os.stat("/dev/null").st_rdev
        (rig.host.root / "sys/block/sda/dev").write_text(f"{os.major(number)}:{os.minor(number)}")
    return descriptors / "6"


@pytest.mark.parametrize("opened", ["map", "disk"], indirect=True)
@pytest.mark.usefixtures("opened")
def test_what_a_program_has_open_is_neither_checked_nor_formatted_nor_mounted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual machine has its disk open without O_EXCL."""

    def prepare(*_: object) -> tuple[str, bool]:
        rig.host.note("prepare")
        return "ext4", False

    monkeypatch.setattr(mounting, "prepare", prepare)
    assert "that has" in rig.refused(Code.DEVICE_BUSY)
    assert rig.did("prepare", "fsck", "mkfs", "mount") == []


@pytest.mark.parametrize("opened", ["disk"], indirect=True)
def test_a_program_that_lets_go_in_a_moment_stops_no_mount(
    rig: Rig, opened: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev looks into a disk that was just found."""
    monkeypatch.setattr(mounting, "_LET_GO", 10, raising=False)
    number = os.stat("/dev/null").st_rdev
    rig.rows[1] = MOUNTED._replace(number=f"{os.major(number)}:{os.minor(number)}")
    timer = threading.Timer(0.5, opened.unlink)
    timer.start()
    rig.ask()
    timer.join()
    assert len(rig.did("mount")) == 1


def test_a_path_that_joins_the_map_meanwhile_stops_no_mount(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """multipathd has it open from then on: the next pod would have waited for 15 s, and been refused."""
    monkeypatch.setattr(mounting, "_LET_GO", 10)
    rig.host.disk("sdb", "0:0:1:1", rig.request.uid)
    (rig.host.root / "dev/sdb").unlink()
    (rig.host.root / "dev/sdb").symlink_to("/dev/null")
    number = os.stat("/dev/null").st_rdev
    (rig.host.root / "sys/block/sdb/dev").write_text(f"{os.major(number)}:{os.minor(number)}")
    descriptors = rig.host.root / "proc/77/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "6").symlink_to("/dev/null")
    timer = threading.Timer(0.5, rig.host.into_map, ("sdb",))
    timer.start()
    rig.ask()
    timer.join()
    assert len(rig.did("mount")) == 1
