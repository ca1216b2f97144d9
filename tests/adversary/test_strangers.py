"""Users who are not the agent, and an agent that wants everything: who may be served still is."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.adversary.conftest import AGENT, NOBODY, message, reach
from tests.adversary.resources import descriptors, settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]
    AsUser = Callable[[int, Callable[[], Any]], Any]

CONNECTS = 10_000


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
