"""What hangs takes nobody with it, and its volume with nobody (safety.md 19)."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from helper import abandoned, child, multipath, program, volume
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from tests.helper.host import OTHER, UID

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def unkillable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `blkid` that no kill of its group reaches, as one that waits in the kernel; the file gets its pid."""
    monkeypatch.setattr(program, "DIRECTORIES", (str(tmp_path / "bin"),))
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin/blkid"
    says = f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60"
    path.write_text(f"#!/bin/sh\nsetsid sh -c '{says}'\n")
    path.chmod(0o755)
    return tmp_path / "pid"


def test_a_program_that_cannot_be_killed_keeps_its_volume_locked(unkillable: Path) -> None:
    with hold(UID, "op1", soon(5)), pytest.raises(Fault, match="did not end in time"):
        program.run("blkid", deadline=soon(1))
    sleeper = int(unkillable.read_text())
    try:
        with pytest.raises(Fault, match="op1") as locked, hold(UID, "op2", soon(0.2)):
            pass
        assert locked.value.code is Code.LOCK_TIMEOUT
        with hold(OTHER, "op3", soon(0.2)):
            pass
    finally:
        os.kill(sleeper, signal.SIGKILL)
    with hold(UID, "op4", soon(5)):
        pass


def test_a_child_that_waits_in_the_kernel_keeps_its_volume_locked_and_others_free() -> None:
    """A stopped child stands for it; SIGKILL would end this one, so nobody sends it."""
    with hold(UID, "op1", soon(5)):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        child.give_up(pid, "A read", UID)
    try:
        assert abandoned.count() == 1
        with pytest.raises(Fault, match="still worked on"), hold(UID, "op2", soon(0.2)):
            pass
        with hold(OTHER, "op3", soon(0.2)):
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert abandoned.count() == 0
    with hold(UID, "op4", soon(5)):
        pass


def test_a_volume_that_is_worked_on_is_said_by_its_operation(run_directory: Path) -> None:
    begun = time.monotonic()
    with hold(UID, "op1", soon(5)):
        locked = os.open(f"{volume.LOCKS}/{UID}.lock", os.O_RDWR)
        with pytest.raises(Fault, match="op1"), hold(UID, "op2", soon(0.3)):
            pass
        os.close(locked)
    assert time.monotonic() - begun < 2


def test_a_multipathd_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "mpd"))
        silent.listen(1)
        monkeypatch.setattr(multipath, "SOCKETS", (str(tmp_path / "mpd"),))
        begun = time.monotonic()
        assert multipath.ask("show daemon", soon(0.5)) is None
        assert time.monotonic() - begun < 2
