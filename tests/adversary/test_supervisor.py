"""What peers and accidents do to the helper's supervisor: others never notice."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.varlink import MAX_MESSAGE
from tests.adversary.conftest import AGENT, NOBODY, message, reach
from tests.helper.conftest import is_locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]
    AsUser = Callable[[int, Callable[[], Any]], Any]

CONNECTS = 10_000


def workers(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def settled(look: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.mark.root
def test_a_user_who_is_not_the_agent_gets_no_byte(
    start: Start, open_directory: Path, as_user: AsUser
) -> None:
    start(users=frozenset((0, AGENT)))
    path = open_directory / "helper.sock"
    path.chmod(0o666)

    def ask() -> str:
        with reach(path) as helper:
            try:
                helper.sendall(message("Initiator", op="test1"))
                return helper.recv(100).decode()
            except ConnectionError:
                return ""

    assert as_user(NOBODY, ask) == ""
    assert "parameters" in as_user(AGENT, ask)
    assert "parameters" in ask()


@pytest.mark.root
@pytest.mark.timeout(120)
def test_ten_thousand_connects_of_a_stranger_do_not_stop_the_agent(
    start: Start, open_directory: Path, connect: Connect
) -> None:
    pid = start(users=frozenset((0, AGENT)))
    path = open_directory / "helper.sock"
    path.chmod(0o666)
    client = connect()
    client.call("Initiator")
    before, begun = descriptors(pid), time.monotonic()
    if (stranger := os.fork()) == 0:
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            for _ in range(CONNECTS):
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(str(path))  # waits while the queue of connections is full
            os._exit(0)
        finally:
            os._exit(1)
    slowest = 0.0
    answered = 0
    while not (ended := os.waitpid(stranger, os.WNOHANG))[0]:
        asked = time.monotonic()
        with _patiently(path) as new:
            new.sendall(message("Initiator", op="test1"))
            assert b"parameters" in new.recv(1000)
        slowest = max(slowest, time.monotonic() - asked)
        answered += 1
    took = time.monotonic() - begun
    print(f"{CONNECTS} connects in {took:.1f} s; {answered} answers, the slowest after {slowest:.3f} s")
    assert ended[1] == 0, "the stranger could not connect so often"
    assert answered > 3
    assert slowest < 5
    assert "parameters" in client.call("Initiator")
    journal = 1  # opened at the first complaint
    settled(lambda: descriptors(pid) <= before + journal, "descriptors of strangers stay open")


def _patiently(path: Path) -> socket.socket:
    """Connect as the agent does: tried again while the queue of connections is full."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return reach(path)
        except BlockingIOError:
            assert time.monotonic() < deadline
            time.sleep(0.005)


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


@pytest.mark.root
def test_an_agent_that_takes_every_connection_does_not_keep_root_out(
    start: Start, open_directory: Path, connect: Connect
) -> None:
    start(users=frozenset((0, AGENT)), workers=5, for_root=2)
    path = open_directory / "helper.sock"
    path.chmod(0o666)
    full, said = os.pipe()
    end, hold = os.pipe()
    if (agent := os.fork()) == 0:
        try:
            os.close(hold)
            os.setresuid(AGENT, AGENT, AGENT)
            held = [reach(path) for _ in range(8)]
            os.write(said, held[-1].recv(100))
            os.read(end, 1)
        finally:
            os._exit(0)
    assert b"Fault" in os.read(full, 100)
    assert "error" not in connect().call("Initiator")
    os.close(hold)
    os.waitpid(agent, 0)


GET_INFO = b'{"method":"org.varlink.service.GetInfo","parameters":{"x":'
DEEP = b"[" * 20 + b"]" * 20
BROKEN = {
    "no JSON": b"{\0",
    "a list": b"[]\0",
    "deep": b'{"method":"a.B","parameters":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}\0",
    "deep behind a string of brackets": b'%s"]]]]]]]]]]]]]]]]]]]","y":%s}}\0' % (GET_INFO, DEEP),
    "deep behind an escaped quote": b'%s"\\"]]]]]]]]]]]]]]]]]]]","y":%s}}\0' % (GET_INFO, DEEP),
    "a key twice": b'{"method":"a.B","method":"a.B"}\0',
    "a key twice within": b'{"method":"a.B","parameters":{"op":"test1","op":"test2"}}\0',
    "a huge integer": b'{"method":"a.B","parameters":{"n":' + b"9" * 5000 + b"}}\0",
    "an integer beyond 64 bits": b'{"method":"a.B","parameters":{"n":18446744073709551617}}\0',
    "NaN": b'{"method":"a.B","parameters":{"n":NaN}}\0',
    "no UTF-8": b'{"method":"\xff"}\0',
    "over the limit": b'{"method":"' + b"a" * MAX_MESSAGE + b'"}\0',
    "no end": b"x" * (MAX_MESSAGE + 1),
    "only a NUL": b"\0",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_message_gets_one_fault_and_the_connection_ends(
    start: Start, connect: Connect, what: str
) -> None:
    start()
    client = connect()
    client.send(BROKEN[what])
    answer = client.receive()
    assert answer is not None
    assert answer["parameters"]["code"] == "protocol"
    assert client.receive() is None


def test_one_byte_at_a_time_is_understood_and_keeps_nobody_waiting(start: Start, connect: Connect) -> None:
    start()
    slow = connect()
    for byte in message("Initiator", op="test1"):
        slow.send(bytes((byte,)))
        if byte % 16 == 0:
            assert "parameters" in connect().call("Initiator")
    assert slow.receive()
