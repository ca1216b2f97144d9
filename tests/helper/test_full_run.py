"""A /run that is full stops nothing: what is written there is for people (safety.md 19)."""

from __future__ import annotations

import builtins
import errno
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from helper import abandoned, child, mounts, volume
from helper.detach import detach
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest
from tests.helper.host import UID, Host
from tests.helper.own_mounts import apart

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess]


def no_space(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def test_a_detach_needs_no_space(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.disk("sda", "0:0:0:1", UID)
    found = host.map(UID, "sda")
    monkeypatch.setattr(os, "pwrite", no_space)
    request = DetachRequest(RequestId("test1"), VolumeUid.parse(UID), 4000)
    assert detach(request, Settings()).removed == (found, "sda")


def test_a_child_that_cannot_be_killed_stays_known(
    run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is there, and the text is not."""
    if (pid := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    true_open = builtins.open

    def opened(path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        file = true_open(path, mode, *rest, **more)
        if str(path).startswith(abandoned.FOLDER):
            file.close()
            no_space()
        return file

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        child.give_up(pid, "A read", UID)
    try:
        assert abandoned.count(UID) == 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert abandoned.count() == 0


@pytest.mark.root
def test_on_a_true_full_file_system_volumes_are_locked_and_what_is_stuck_is_listed(
    run_directory: Path,
) -> None:
    """And its lock is kept, and said of it why."""

    def job() -> list[Any]:
        mounts.mount("run", str(run_directory), "tmpfs", 0, "size=64k")
        with open(run_directory / "others", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
        with hold(UID, "op1", soon()):
            answers = child.gather([lambda: 1, lambda: 2], soon(), "A look", UID)
            if (pid := os.fork()) == 0:
                time.sleep(60)
                os._exit(0)
            child.give_up(pid, "A read", UID)
        known = abandoned.count(UID)
        try:
            with hold(UID, "op2", soon(0.2)):
                said = "free"
        except Fault as fault:
            said = str(fault)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with hold(UID, "op3", soon()):
            pass
        return [answers, known, said, os.listdir(volume.LOCKS)]

    answers, known, said, locks = apart(job)
    assert (answers, known, locks) == ([1, 2], 1, [])
    assert "stuck in the kernel" in said
