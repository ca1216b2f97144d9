"""The host lock: between connections of the agent, and towards other programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.verbs import InitiatorReply
from tests.helper.conftest import HELPER, is_locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

CONFIGURATION = "storage: [a long configuration]\n"


@pytest.fixture
def configuration(run_directory: Path) -> Path:
    """The file that is locked towards other programs."""
    path = run_directory / "instorage.yaml"
    path.write_text(CONFIGURATION)
    return path


def code(answer: dict[str, Any]) -> str:
    return str(answer["parameters"].get("code", "ok"))


def in_background(call: Callable[[], object]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def test_shared_holders_share_and_the_files_are_locked_while_one_is_left(
    start: Start, connect: Connect, configuration: Path, run_directory: Path
) -> None:
    start()
    first, second = connect(), connect()
    assert first.lock("shared")["parameters"] == {"not_locked": []}
    assert second.lock("shared")["parameters"] == {"not_locked": []}
    for path in (configuration, run_directory / "host.lock"):
        assert is_locked(path)
    first.call("Unlock")
    assert is_locked(configuration)
    second.close()  # a connection that ends gives its lock up
    deadline = time.monotonic() + 10
    while is_locked(configuration):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert configuration.read_text() == CONFIGURATION


def test_exclusive_waits_for_shared_and_later_shared_ones_do_not_overtake_it(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    first, whole, late = connect(), connect(), connect()
    first.lock("shared")
    waiting, granted = in_background(lambda: whole.lock("exclusive", op="growing"))
    time.sleep(0.3)
    assert not granted
    answer = late.lock("shared", wait_ms=300)
    assert code(answer) == "lock-timeout"
    first.call("Unlock")
    waiting.join(10)
    assert code(granted[0]) == "ok"
    answer = late.lock("shared", wait_ms=100)
    assert "growing" in answer["parameters"]["sentence"]
    whole.call("Unlock")
    assert code(late.lock("shared")) == "ok"


def test_who_has_given_the_lock_up_is_not_named_as_its_holder(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    first, last, whole = connect(), connect(), connect()
    first.lock("shared", op="attaching")
    last.lock("shared", op="detaching")
    assert "operation detaching" in whole.lock("exclusive", wait_ms=0)["parameters"]["sentence"]
    last.call("Unlock")
    refusal = whole.lock("exclusive", wait_ms=0)["parameters"]["sentence"]
    assert "detaching" not in refusal
    assert "held by process " in refusal


def test_without_a_file_to_lock_nobody_gets_the_lock(
    start: Start, connect: Connect, configuration: Path, run_directory: Path
) -> None:
    (run_directory / "host.lock").mkdir()
    start()
    assert code(connect().lock("shared")) == "internal"


def test_a_verb_under_way_keeps_the_lock_beyond_its_lease(
    start: Start, connect: Connect, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late() -> InitiatorReply:
        time.sleep(1.5)
        return InitiatorReply()

    monkeypatch.setattr("helper.iscsi.initiator", late)
    start()
    slow, other = connect(), connect()
    slow.lock("exclusive", lease_ms=300)
    working, _ = in_background(lambda: slow.call("Initiator"))
    assert code(other.lock("shared", wait_ms=800)) == "lock-timeout"
    working.join(10)
    assert code(other.lock("shared")) == "ok"
    assert code(slow.call("Initiator")) == "lock-lost"


def test_calls_that_lie_ready_when_the_lease_ends_do_not_keep_the_lock(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    careless = connect()
    calls = [{"mode": "exclusive", "lease_ms": 1, "wait_ms": 0}, {}]
    verbs = zip(("Lock", "Initiator"), calls, strict=True)
    messages = [{"method": f"{HELPER}.{verb}", "parameters": {"op": "test1", **more}} for verb, more in verbs]
    careless.send(b"".join(json.dumps(one).encode() + b"\0" for one in messages))
    assert code(careless.receive() or {}) == "ok"
    careless.receive()
    assert code(connect().lock("exclusive")) == "ok"


def test_a_lease_that_ran_out_frees_the_lock_and_ends_the_use_of_its_connection(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    careless, next_one = connect(), connect()
    careless.lock("exclusive", lease_ms=300)
    assert code(next_one.lock("exclusive")) == "ok"
    for verb in ("Initiator", "Unlock"):
        assert code(careless.call(verb)) == "lock-lost"
    assert code(careless.lock("shared")) == "lock-lost"


def test_a_lock_is_renewed_by_asking_again_but_does_not_change_its_mode(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    client = connect()
    client.lock("exclusive", lease_ms=500)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert code(client.lock("exclusive", lease_ms=500)) == "ok"
        time.sleep(0.1)
    assert code(client.lock("shared")) == "bad-request"
    client.call("Unlock")
    assert code(client.lock("shared")) == "ok"


def test_a_worker_that_is_killed_gives_its_lock_up(
    start: Start, connect: Connect, configuration: Path
) -> None:
    pid = start()
    first = connect()
    first.lock("exclusive")
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        os.kill(int(children.read().split()[0]), 9)
    assert code(connect().lock("exclusive")) == "ok"


HOLDER = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.subprocess
def test_another_program_that_holds_the_file_is_waited_for_and_named(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    client = connect()
    argv = [sys.executable, "-c", HOLDER, str(configuration)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as vendor:
        assert vendor.stdout
        assert vendor.stdin
        vendor.stdout.readline()
        answer = client.lock("shared", wait_ms=300)
        assert code(answer) == "lock-timeout"
        assert f"process {vendor.pid} ({configuration})" in answer["parameters"]["sentence"]
        waiting, granted = in_background(lambda: client.lock("shared"))
        time.sleep(0.2)
        assert not granted
        assert "parameters" in connect().call("Initiator")  # nobody else is stopped by the waiting
        vendor.stdin.close()
        waiting.join(10)
    assert code(granted[0]) == "ok"


def test_a_file_that_is_missing_or_cannot_be_locked_is_reported_and_never_made(
    start: Start, connect: Connect, run_directory: Path
) -> None:
    start()
    (reported,) = connect().lock("shared")["parameters"]["not_locked"]
    assert "instorage.yaml: No such file" in reported
    assert not (run_directory / "instorage.yaml").exists()


def test_a_file_that_an_editor_replaces_is_locked_under_its_new_inode(
    start: Start, connect: Connect, configuration: Path
) -> None:
    start()
    first, second = connect(), connect()
    first.lock("shared")
    replacement = configuration.with_suffix(".new")
    replacement.write_text("new\n")
    replacement.rename(configuration)
    first.call("Unlock")
    second.lock("shared")
    assert is_locked(configuration)
    assert configuration.read_text() == "new\n"


def test_a_lock_path_that_is_a_link_locks_what_it_leads_to(
    start: Start, connect: Connect, run_directory: Path
) -> None:
    real = run_directory / "elsewhere.yaml"
    real.write_text(CONFIGURATION)
    (run_directory / "instorage.yaml").symlink_to(real)
    start()
    assert connect().lock("shared")["parameters"] == {"not_locked": []}
    assert is_locked(real)
    assert real.read_text() == CONFIGURATION
