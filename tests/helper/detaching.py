"""A volume that is attached to a stand-in of a host, and a detach of it."""

from __future__ import annotations

import pytest

from helper.detach import detach
from helper.settings import Settings
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest
from tests.helper.host import OTHER, UID, Host

OP = RequestId("test1")


@pytest.fixture
def attached(host: Host) -> Host:
    """The volume with two disks and a map, another volume beside it."""
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "1:0:0:1", UID)
    host.disk("sdc", "0:0:0:2", OTHER)
    host.map(UID, "sda", "sdb")
    return host


def ask(wait_ms: int = 20_000, *, vanished: bool = False, logout: bool = False) -> tuple[str, ...]:
    settings = Settings(logout=logout)
    return detach(DetachRequest(OP, VolumeUid.parse(UID), wait_ms, vanished), settings).removed
