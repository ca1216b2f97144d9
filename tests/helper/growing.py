"""A stand-in of a host with a volume of 1 GiB that the array has made larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.values import RequestId
from tests.helper.host import UID, Host
from tests.helper.sysfs import GIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OP = RequestId("test1")

LARGE = 2 * GIB


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The volume with two disks and a map of 1 GiB; the array has made it 2 GiB."""
    host = Host(tmp_path)
    host.patch(monkeypatch)
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "1:0:0:1", UID)
    host.luns = {(0, 0, 1): (UID, LARGE), (1, 0, 1): (UID, LARGE)}
    yield host
    host.close()
