"""A bare disk that a program has open, not exclusively, is in use: no holder and no O_EXCL shows that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper.detach import detach
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest
from tests.helper.host import UID, Host

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.subprocess
OPENED = Path("/dev/null")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A volume with one disk and no map; the disk's number is that of a device that can be opened here."""
    host = Host(tmp_path)
    host.patch(monkeypatch)
    monkeypatch.setattr("helper.users._LET_GO", 0.3)
    host.disk("sda", "0:0:0:1", UID)
    number = OPENED.stat().st_rdev
    (host.root / "sys/block/sda/dev").write_text(f"{os.major(number)}:{os.minor(number)}")
    descriptors = host.root / "proc/77/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "4").symlink_to("/dev/gone")
    (descriptors / "5").symlink_to("socket:[1]")
    yield host
    host.close()


def ask() -> tuple[str, ...]:
    return detach(DetachRequest(RequestId("test1"), VolumeUid.parse(UID), 5000), Settings()).removed


def test_a_bare_disk_that_is_open_is_left_alone(host: Host) -> None:
    (host.root / "proc/77/fd/6").symlink_to(OPENED)
    with pytest.raises(Fault, match=r"a program that has /dev/null open \(process 77\)") as refused:
        ask()
    assert refused.value.code is Code.DEVICE_BUSY
    assert host.names() == ["sda"]


def test_one_that_nobody_has_open_is_removed(host: Host) -> None:
    assert ask() == ("sda",)


def test_the_disks_of_a_map_may_be_open(host: Host) -> None:
    host.map(UID, "sda")
    (host.root / "proc/77/fd/6").symlink_to(OPENED)  # multipathd has each path of a map open
    assert ask()[1:] == ("sda",)
