"""A volume that is attached to a stand-in of a host, and a detach of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helper.detach import detach
from helper.settings import Settings
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest
from tests.helper.host import OTHER, UID, Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OP = RequestId("test1")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host(tmp_path)
    host.patch(monkeypatch)
    yield host
    host.close()


@pytest.fixture
def attached(host: Host) -> Host:
    """The volume with two disks and a map, another volume beside it."""
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "1:0:0:1", UID)
    host.disk("sdc", "0:0:0:2", OTHER)
    host.map(UID, "sda", "sdb")
    return host


def ask(wait_ms: int = 3000, *, vanished: bool = False, logout: bool = False) -> tuple[str, ...]:
    settings = Settings(logout=logout)
    return detach(DetachRequest(OP, VolumeUid.parse(UID), wait_ms, vanished), settings).removed
