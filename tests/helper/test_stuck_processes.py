"""What is stuck in the kernel is known, and keeps nobody else waiting (safety.md 19)."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helper import __main__ as supervisor
from helper import abandoned, child, program, volume
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import InitiatorReply
from tests.helper.conftest import HELPER, is_locked, wait_for_end
from tests.helper.host import OTHER, UID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

pytestmark = [pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

WAITED = {"op": "test1", "mode": "shared", "lease_ms": 1000, "wait_ms": 600_000}
LOCK = json.dumps({"method": f"{HELPER}.Lock", "parameters": WAITED}).encode() + b"\0"


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `blkid` a script."""
    monkeypatch.setattr(program, "DIRECTORIES", (str(tmp_path / "bin"),))
    path = tmp_path / "bin/blkid"
    path.parent.mkdir()
    path.touch(0o755)
    return path


def test_a_program_that_outlives_the_child_that_started_it_is_listed(
    tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the child can be killed here, as when its program waits in the kernel."""
    tool.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60\n")
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _: killed.append(pid))
    with hold(UID, "op1", soon(5)), pytest.raises(Fault, match="did not answer"):
        child.apart(lambda: program.run("blkid", deadline=soon(60)), soon(1), "A look", UID)
    sleeper = int((tmp_path / "pid").read_text())
    try:
        assert killed, "the whole group was to be killed"
        assert abandoned.count() == 1
        assert [abandoned.count(one) for one in (UID, OTHER)] == [1, 0]
        with pytest.raises(Fault, match="stuck in the kernel, see") as locked, hold(UID, "op2", soon(0.2)):
            pass
        assert locked.value.code is Code.LOCK_TIMEOUT
    finally:
        os.kill(sleeper, signal.SIGKILL)
    assert child.until(lambda: abandoned.count() == 0, soon(5))
    with hold(UID, "op3", soon(5)):
        pass


def test_a_program_that_closes_its_output_and_lives_on_has_its_deadline(tool: Path, tmp_path: Path) -> None:
    tool.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec >&- 2>&- sleep 20\n")
    begun = time.monotonic()
    with pytest.raises(Fault) as late:
        program.run("blkid", deadline=soon(1))
    assert late.value.code is Code.TIMEOUT
    assert time.monotonic() - begun < 6
    pid = int((tmp_path / "pid").read_text())
    assert abandoned.mark(pid) == f"{pid}-", "it still runs"


def test_a_volume_that_a_stuck_process_has_is_refused_long_before_the_patience_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits in vain takes the place of those who ask for other volumes."""
    monkeypatch.setattr(volume, "_MOMENT", 0.2, raising=False)
    with hold(UID, "op1", soon(5)):
        if (pid := os.fork()) == 0:
            time.sleep(60)
            os._exit(0)
        child.give_up(pid, "A read", UID)
    begun = time.monotonic()
    try:
        with pytest.raises(Fault, match="op1") as locked, hold(UID, "op2", soon(5)):
            pass
        assert locked.value.code is Code.LOCK_TIMEOUT
        assert time.monotonic() - begun < 4
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_volume_that_is_only_worked_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another volume's stuck process is no reason to give up."""
    monkeypatch.setattr(volume, "_MOMENT", 0.1, raising=False)
    (reading, writing), begun = os.pipe(), time.monotonic()
    with hold(UID, "op1", soon(5)):
        if (worker := os.fork()) == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    if (stuck := os.fork()) == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    child.give_up(stuck, "A read", OTHER)
    with pytest.raises(Fault, match="ask again"), hold(UID, "op2", soon(0.8)):
        pass
    assert time.monotonic() - begun > 0.8
    for end in (reading, writing):
        os.close(end)
    for pid in (worker, stuck):
        os.waitpid(pid, 0)


@pytest.fixture
def long_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have Initiator take as long as the returned file is not there; `under-way` is when it has begun."""
    end = tmp_path / "end"

    def initiator() -> InitiatorReply:
        (tmp_path / "under-way").touch()
        child.until(end.exists, soon(20))
        return InitiatorReply()

    monkeypatch.setattr("helper.iscsi.initiator", initiator)
    return end


def begin(client: Client, under_way: Path) -> None:
    client.send(b'{"method": "io.inspur.instorage.Helper.Initiator", "parameters": {"op": "test1"}}\0')
    assert child.until(under_way.exists, soon(10))


def test_a_stop_does_not_wait_for_ever_for_a_verb_and_the_verb_goes_on(
    start: Start, connect: Connect, long_verb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one volume that hangs keeps every other from a new helper."""
    monkeypatch.setattr(supervisor, "PATIENCE", 0.3, raising=False)
    pid, client = start(), connect()
    begin(client, long_verb.with_name("under-way"))
    os.kill(pid, signal.SIGTERM)
    wait_for_end(pid, 5)
    long_verb.touch()
    answer = client.receive()
    assert answer is not None
    assert "error" not in answer
    assert client.receive() is None, "it serves nobody any more"


def test_a_stop_waits_a_moment_for_a_verb(start: Start, connect: Connect, long_verb: Path) -> None:
    pid, client = start(), connect()
    begin(client, long_verb.with_name("under-way"))
    os.kill(pid, signal.SIGTERM)
    assert not child.until(lambda: os.waitpid(pid, os.WNOHANG)[0], soon(0.5))
    long_verb.touch()
    answer = client.receive()
    assert answer is not None
    wait_for_end(pid)


def test_a_stop_does_not_wait_for_a_call_that_waits_for_the_host_lock(
    start: Start, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed nothing yet, and whoever has the lock may keep it for minutes."""
    monkeypatch.setattr(supervisor, "PATIENCE", 60.0)
    (tmp_path / "instorage.yaml").touch()
    with (tmp_path / "instorage.yaml").open("rb") as another_program:
        fcntl.flock(another_program, fcntl.LOCK_EX)
        pid, client = start(), connect()
        client.send(LOCK)
        turn = tmp_path / "host.lock.turn"
        assert child.until(lambda: turn.exists() and is_locked(turn), soon(20)), "it does not wait yet"
        os.kill(pid, signal.SIGTERM)
        wait_for_end(pid)
        assert client.receive() is None


def test_a_worker_ends_with_a_helper_that_was_killed(start: Start, connect: Connect) -> None:
    pid, client = start(), connect()
    client.call("Initiator")
    client.socket.settimeout(5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert client.receive() is None


def test_a_worker_in_a_verb_ends_it_first_when_its_helper_was_killed(
    start: Start, connect: Connect, long_verb: Path
) -> None:
    """A broken-off mkfs helps nobody."""
    pid, client = start(), connect()
    begin(client, long_verb.with_name("under-way"))
    client.socket.settimeout(5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    long_verb.touch()
    answer = client.receive()
    assert answer is not None
    assert "error" not in answer
    assert client.receive() is None
