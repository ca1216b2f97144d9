"""/run/instorage does not grow with what was once asked for, and its locks stay locks for all that."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from helper import iscsi, volume
from helper.detach import detach
from helper.settings import Settings
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest, IscsiPath

pytestmark = pytest.mark.usefixtures("run_directory")

UID = "6" + "1" * 31
PATH = IscsiPath(Portal.parse("127.0.0.1:1"), Iqn.parse("iqn.2004-12.com.inspur:x"), Lun.parse(1))


def test_detaches_of_volumes_that_never_were_leave_nothing() -> None:
    for number in range(20):
        request = DetachRequest(RequestId("test1"), VolumeUid.parse(f"6{number:031x}"), 1000)
        assert detach(request, Settings()).removed == ()
    assert os.listdir(volume.LOCKS) == []


def test_a_lock_excludes_though_its_file_comes_and_goes(run_directory: Path) -> None:
    """Processes in a race for one lock: never two inside, and each gets in."""
    inside = run_directory / "inside"
    children = []
    for _ in range(4):
        if (pid := os.fork()) == 0:
            status = 1
            try:
                for _ in range(300):
                    with volume.hold(UID, "test1", time.monotonic() + 30):
                        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                        inside.unlink()
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert os.listdir(volume.LOCKS) == []


def test_what_an_abandoned_child_holds_stays_locked() -> None:
    reading, writing = os.pipe()
    with volume.hold(UID, "test1", time.monotonic() + 1):
        if (child := os.fork()) == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    with pytest.raises(Fault, match="operation test1, process"), volume.hold(UID, "test2", time.monotonic()):
        pass
    os.close(writing)
    os.waitpid(child, 0)
    with volume.hold(UID, "test2", time.monotonic() + 1):
        pass
    os.close(reading)
    assert os.listdir(volume.LOCKS) == []


def test_portals_that_failed_long_ago_are_forgotten() -> None:
    Path(iscsi.FAILED).mkdir()
    old, new = Path(iscsi.FAILED, "10.9.0.1:3260"), Path(iscsi.FAILED, "10.9.0.2:3260")
    for mark in (old, new):
        mark.touch()
    os.utime(old, (time.time() - 1000,) * 2)
    with contextlib.suppress(Fault):  # no iscsiadm here
        iscsi.connect([PATH], time.monotonic() + 1)
    assert not old.exists()
    assert new.exists()
