"""What peers and accidents do to the helper's supervisor: others never notice."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.adversary.conftest import message
from tests.adversary.resources import descriptors, settled, workers
from tests.helper.conftest import is_locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]


def test_descriptors_that_a_peer_passes_are_not_kept(start: Start, connect: Connect) -> None:
    pid = start()
    client = connect()
    client.call("Initiator")
    (worker,) = workers(pid)
    before = descriptors(worker)
    reading, writing = os.pipe()
    call = message("Initiator", op="test1")
    for _ in range(200):
        socket.send_fds(client.socket, [call], [writing] * 200)
        assert client.receive()
    os.close(writing)
    assert descriptors(worker) == before
    os.set_blocking(reading, False)
    assert os.read(reading, 1) == b"", "the helper still holds a descriptor that the peer passed"
    os.close(reading)


def test_a_peer_that_leaves_at_any_moment_leaves_nothing(start: Start, connect: Connect) -> None:
    pid = start()
    call = message("Inspect", op="test1")
    first = connect()
    first.call("Initiator")
    first.close()
    settled(lambda: not workers(pid), "the first worker stays")
    before = descriptors(pid)
    for cut in (0, 1, 10, len(call) - 1, len(call)):
        client = connect()
        client.send(call[:cut])
        client.close()
    unread = connect()
    unread.send(call * 50)
    unread.close()
    settled(lambda: not workers(pid), "workers of peers that have left stay")
    settled(lambda: descriptors(pid) <= before, "descriptors stay open")
    assert "parameters" in connect().call("Initiator")


def test_a_peer_that_never_reads_ends_its_own_worker_only(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helper.worker._SEND", 0.3)
    pid = start()
    deaf = connect()
    describe = {
        "method": "org.varlink.service.GetInterfaceDescription",
        "parameters": {"interface": "x" * 150},
    }
    calls = (json.dumps(describe).encode() + b"\0") * 10_000  # more than the kernel keeps for both ways
    deaf.socket.settimeout(30)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # closed by the helper, not merely full
        deaf.socket.sendall(calls)
    assert "parameters" in connect().call("Initiator")
    settled(lambda: len(workers(pid)) <= 1, "a worker waits for ever for a peer that does not read")


def test_a_worker_killed_while_it_waits_for_the_host_lock_leaves_it_to_the_next(
    start: Start, connect: Connect, run_directory: Path
) -> None:
    pid = start()
    blocker, waiting = connect(), connect()
    blocker.lock("exclusive", op="blocker")
    waiting.call("Initiator")
    worker = max(workers(pid))
    waiting.send(message("Lock", op="test2", mode="shared", lease_ms=60000, wait_ms=60000))
    turn = run_directory / "host.lock.turn"
    settled(lambda: turn.exists() and is_locked(turn), "the worker does not wait for the lock")
    os.kill(worker, signal.SIGKILL)
    settled(lambda: worker not in workers(pid), "the killed worker is not reaped")
    next_one = connect()
    assert "blocker" in next_one.lock("shared", wait_ms=100)["parameters"]["sentence"]
    blocker.call("Unlock")
    assert next_one.lock("exclusive", wait_ms=2000).get("error") is None
    assert "parameters" in connect().call("Initiator")


def test_no_further_process_is_no_end_of_the_helper(
    start: Start, connect: Connect, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none_left, fork = run_directory / "none-left", os.fork

    def limited() -> int:
        if none_left.exists():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", limited)
    start()
    served = connect()
    served.call("Initiator")
    none_left.touch()
    assert connect().receive() is None
    none_left.unlink()
    assert "parameters" in served.call("Initiator")
    assert "parameters" in connect().call("Initiator")
