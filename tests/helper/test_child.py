"""Work in children: answers, errors, deadlines, and what happens to one that cannot be killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helper import abandoned, child, program, volume
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("run_directory")


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def fail() -> None:
    raise Fault(Code.WRONG_DEVICE, "Not this one.", expected="a")


def no_device() -> None:
    raise OSError(6, "No such device or address")


def test_answers_and_errors_come_back_in_the_order_of_the_jobs() -> None:
    answers = child.gather(
        [lambda: {"a": [1, "x"]}, fail, no_device, lambda: 1 / 0, lambda: None], soon(), "It"
    )
    assert answers[0] == {"a": [1, "x"]}
    assert isinstance(answers[1], Fault)
    assert (answers[1].code, answers[1].fields) == (Code.WRONG_DEVICE, {"expected": "a"})
    assert isinstance(answers[2], OSError)
    assert answers[2].errno == 6
    assert isinstance(answers[3], Fault)
    assert "ZeroDivisionError" in answers[3].sentence
    assert answers[4] is None


def test_a_long_answer_comes_whole() -> None:
    assert child.apart(lambda: "x" * 1_000_000, soon(), "It") == "x" * 1_000_000


def test_all_jobs_run_at_once_and_a_hanging_one_ends_at_the_deadline() -> None:
    begun = time.monotonic()
    answers = child.gather([lambda: time.sleep(30), lambda: "quick", lambda: time.sleep(30)], soon(0.5), "It")
    assert answers[1] == "quick"
    assert [answer.code for answer in answers if isinstance(answer, Fault)] == [Code.TIMEOUT, Code.TIMEOUT]
    assert time.monotonic() - begun < 3


def test_the_slow_get_a_grace_only_after_a_success() -> None:
    begun = time.monotonic()
    answers = child.gather([lambda: time.sleep(30), lambda: "quick"], soon(20), "It", grace=0.2)
    assert answers[1] == "quick"
    assert time.monotonic() - begun < 3
    answers = child.gather([lambda: time.sleep(0.6), fail], soon(20), "It", grace=0.1)
    assert answers[0] is None


def test_a_job_that_dies_is_an_error() -> None:
    (answer,) = child.gather([lambda: os.kill(os.getpid(), signal.SIGKILL)], soon(), "It")
    assert isinstance(answer, Fault)
    assert answer.code is Code.INTERNAL


def test_a_child_does_not_keep_the_agents_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(child, "PRIVATE", {writing})

    def is_closed() -> bool:
        try:
            os.fstat(writing)
        except OSError:
            return True
        return False

    assert child.apart(is_closed, soon(), "It") is True
    os.close(reading)
    os.close(writing)


def test_a_child_that_cannot_be_killed_is_listed_until_it_ends() -> None:
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    assert abandoned.count() == 0
    child.give_up(pid, "A read", "6" + "0" * 31)  # nobody killed it, as with a wait in the kernel
    assert abandoned.count() == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert abandoned.count() == 0
    assert os.listdir(abandoned.FOLDER) == []


def test_a_child_that_is_stuck_does_not_keep_another_with_its_device() -> None:
    """Else a volume that was given up would stay open, and locked, for as long as that one is stuck."""
    reading, writing = os.pipe()

    def stuck() -> None:
        os.write(writing, b"x")
        time.sleep(30)

    with child.keeping(os.getpid, soon(), "Opening a device"):
        pid = child.forked(stuck)
        os.read(reading, 1)
    try:
        assert abandoned.count() == 0
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)


def test_a_record_of_another_process_with_the_same_number_is_forgotten() -> None:
    os.makedirs(abandoned.FOLDER)
    record = f"{abandoned.FOLDER}/{os.getpid()}"
    for text in ('{"start": "1"}', "{", ""):
        with open(record, "w", encoding="utf-8") as file:
            file.write(text)
        assert abandoned.count() == 0
        assert not os.path.exists(record)


def test_the_lock_of_a_volume_is_kept_by_a_child_that_outlives_its_worker() -> None:
    uid = "6" + "0" * 31
    release_read, release_write = os.pipe()
    with volume.hold(uid, "op1", soon()):
        pid = os.fork()
        if pid == 0:
            os.close(release_write)
            os.read(release_read, 1)
            os._exit(0)
    with pytest.raises(Fault, match="operation op1") as refused, volume.hold(uid, "op2", soon(0.2)):
        pass
    assert refused.value.code is Code.LOCK_TIMEOUT
    os.close(release_write)
    os.waitpid(pid, 0)
    os.close(release_read)
    with volume.hold(uid, "op3", soon()):
        pass


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `blkid` a script."""
    monkeypatch.setattr(program, "DIRECTORIES", (str(tmp_path / "bin"),))
    path = tmp_path / "bin/blkid"
    path.parent.mkdir()
    path.touch(0o755)
    return path


@pytest.mark.subprocess
def test_a_program_gets_an_empty_environment_and_no_input(tool: Path) -> None:
    tool.write_text('#!/bin/bash\n/usr/bin/env | /usr/bin/sort; pwd; cat; echo "$@" >&2; exit 2\n')
    answer = program.run("blkid", "-p", "a b", deadline=soon(), accept=(0, 2))
    shown = [line for line in answer.out.splitlines() if not line.startswith(("_=", "SHLVL=", "PWD="))]
    assert (answer.status, shown, answer.error) == (2, ["LC_ALL=C", "/"], "-p a b\n")


@pytest.mark.subprocess
def test_a_failure_says_what_the_program_said(tool: Path) -> None:
    tool.write_text("#!/bin/bash\necho bad superblock >&2\nexit 8\n")
    with pytest.raises(Fault, match="blkid ended with status 8: bad superblock") as failed:
        program.run("blkid", deadline=soon())
    assert failed.value.code is Code.TOOL_FAILED


@pytest.mark.subprocess
def test_a_flood_of_output_is_capped_and_the_program_still_ends(tool: Path) -> None:
    tool.write_text("#!/bin/bash\nhead -c 5000000 /dev/zero\nhead -c 5000000 /dev/zero >&2\n")
    answer = program.run("blkid", deadline=soon())
    assert (answer.status, len(answer.out), len(answer.error)) == (0, 65536, 65536)


@pytest.mark.subprocess
@pytest.mark.parametrize("in_a_child", [False, True])
def test_a_program_that_hangs_is_killed_with_its_children(
    tool: Path, tmp_path: Path, in_a_child: bool
) -> None:
    tool.write_text(f"#!/bin/bash\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n")

    def hang() -> None:
        program.run("blkid", deadline=soon(600 if in_a_child else 0.5))

    with pytest.raises(Fault) as late:
        child.apart(hang, soon(0.5), "It") if in_a_child else hang()
    assert late.value.code is Code.TIMEOUT
    sleeper = int((tmp_path / "pid").read_text())
    deadline = soon(5)
    while abandoned.mark(sleeper) != f"{sleeper}-":
        assert time.monotonic() < deadline, "the program's child still runs"
        time.sleep(0.01)


def test_a_missing_program_is_named_with_its_package(tool: Path) -> None:
    with pytest.raises(Fault, match=r"multipath is not installed.*multipath-tools.*device-mapper-multipath"):
        program.run("multipath", "-v", deadline=soon())


def test_a_child_that_cannot_be_started_leaves_no_other_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """TasksMax= is reached: those that were started would go on, and nobody waits for them."""
    true_fork = os.fork
    started: list[int] = []

    def fork() -> int:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(true_fork())
        return started[0]

    monkeypatch.setattr(os, "fork", fork)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(BlockingIOError):
        child.gather([lambda: time.sleep(30)] * 3, soon(), "It")
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(started[0], os.WNOHANG)
