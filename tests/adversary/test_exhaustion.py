"""An agent that asks for as much as it can gets no more of the node than the helper's bounds."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import __main__ as supervisor
from helper import attach, child, volume
from helper.attach import attach as attaching
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachRequest, IscsiPath, Multipath
from tests.helper.host import UID, Host
from tests.helper.sysfs import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helper.conftest import Client, Start

pytestmark = pytest.mark.subprocess

CONNECTIONS = 100
UNIT = Path(__file__).parents[2] / "systemd/instorage-helper.service"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host(tmp_path / "host")
    host.patch(monkeypatch)
    yield host
    host.close()


def request(paths: int) -> AttachRequest:
    asked = tuple(
        IscsiPath(Portal.parse(f"10.9.0.{n + 1}:3260"), Iqn.parse(TARGET), Lun.parse(1)) for n in range(paths)
    )
    return AttachRequest(
        RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(1 << 30), asked, Multipath.PREFERRED, 500
    )


def test_more_than_sixteen_paths_are_refused_before_anything_is_done(host: Host) -> None:
    with pytest.raises(Fault, match="17 paths are asked for, more than 16") as refused:
        attaching(request(17), Settings())
    assert refused.value.code is Code.BAD_REQUEST
    assert host.events == []


def test_sixteen_paths_are_tried(host: Host) -> None:
    host.script("iscsiadm", "exit 8")
    with pytest.raises(Fault) as refused:
        attaching(request(16), Settings())
    assert refused.value.code is Code.NO_PATH


def test_what_all_connections_can_start_fits_into_what_the_unit_gives() -> None:
    """Each path a child and its program; root's connections must find room after the agent's."""
    (tasks,) = map(int, re.findall(r"^TasksMax=(\d+)$", UNIT.read_text(), re.MULTILINE))
    assert supervisor.MAX_WORKERS <= 40
    everybody = supervisor.MAX_WORKERS + supervisor.FOR_ROOT
    assert everybody * (1 + 2 * attach._MOST) <= tasks
    assert re.search(r"^MemoryMax=", UNIT.read_text(), re.MULTILINE)


def leaders(pid: int) -> int:
    """How many of the supervisor's children lead a process group: all but workers."""
    found = 0
    for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            found += fields[0] != "Z" and fields[2] == name
    return found


def come_and_go(path: Path) -> None:
    """Connect and leave, as soon as there is room in the queue of connections."""

    def connected() -> bool:
        with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(BlockingIOError):
            peer.setblocking(False)
            peer.connect(str(path))
            return True
        return False

    assert child.until(connected, time.monotonic() + 10)


@pytest.mark.slow
def test_connections_that_end_during_a_freeze_start_one_thaw_at_a_time(
    host: Host, start: Start, connect: Callable[[], Client], run_directory: Path
) -> None:
    """Each of them would wait for seconds for the volume's lock."""
    records = host.root / "frozen"
    records.mkdir(mode=0o700)
    with volume.hold(UID, "a freeze", time.monotonic() + 5):
        pid = start(workers=1000)
        (records / UID).write_text("/x")
        most = 0
        for _ in range(CONNECTIONS):
            come_and_go(run_directory / "helper.sock")
            most = max(most, leaders(pid))
        settled = time.monotonic() + 0.7
        while time.monotonic() < settled:
            most = max(most, leaders(pid))
            time.sleep(0.02)
        (records / UID).unlink()
    assert most == 1, "none, or many at once"
    assert child.until(lambda: leaders(pid) == 0, time.monotonic() + 10)
    assert os.listdir(records) == []
    assert "parameters" in connect().call("Initiator")
