"""A journald that takes nothing keeps nobody from the helper: the supervisor leaves its warnings out."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from helper import child
from instorage.wire import journal
from tests.helper.conftest import wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

REFUSED = "serves 1 connections already"


@pytest.fixture
def journald(run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a journald that reads when it is told to."""
    path = str(run_directory / "journald")
    monkeypatch.setattr(journal, "SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.setblocking(False)
        yield receiver


def fill(path: str) -> None:
    """Send until nobody else can: each sender has a limit of its own as well."""
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(b"of another program", path)
            except BlockingIOError:
                return


def read(journald: socket.socket) -> list[str]:
    """Take what lies ready."""
    texts = []
    while True:
        try:
            texts.append(journald.recv(65536).decode(errors="replace"))
        except BlockingIOError:
            return texts


def refused(connect: Connect) -> bool:
    """Ask for a connection; whether it was answered, and why it was refused."""
    client = connect()
    client.socket.settimeout(10)
    answer = client.receive()
    return answer is not None and REFUSED in answer["parameters"]["sentence"]


@pytest.fixture
def busy(start: Start, connect: Connect, journald: socket.socket) -> int:
    """A helper that serves as many as it may, so that it warns of each further one; its process."""
    pid = start(workers=1)
    assert "vendor" in connect().call("org.varlink.service.GetInfo")["parameters"]
    return pid


def test_a_helper_answers_and_stops_although_journald_hangs(busy: int, connect: Connect) -> None:
    fill(journal.SOCKET)
    assert refused(connect)
    assert refused(connect), "it waits for journald"
    os.kill(busy, signal.SIGTERM)
    wait_for_end(busy)


def test_a_helper_warns_again_once_journald_reads_again(
    busy: int, connect: Connect, journald: socket.socket
) -> None:
    fill(journal.SOCKET)
    assert refused(connect)
    read(journald)
    warned = lambda: refused(connect) and any(REFUSED in text for text in read(journald))  # noqa: E731
    assert child.until(warned, time.monotonic() + 20, 0.2)
