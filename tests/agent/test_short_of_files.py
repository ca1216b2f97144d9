"""What the agent does when it may open nothing more, and what of libraries is in its log."""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from nodeagent.operation import journal
from nodeagent.service.server import Server
from tests.agent.bench import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Counted(socket.socket):
    """A listener that counts how often it is asked for a caller."""

    asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        return super().accept()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Counted]:
    with Counted(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.bind(str(tmp_path / "agent.sock"))
        one.listen(8)
        yield one


def test_an_agent_that_may_open_nothing_more_says_so_once_and_serves_when_it_can(
    listener: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()
    server = Server([listener], lambda *_: answered.set(), uid=os.getuid())
    ticks: list[float] = []
    serving = threading.Thread(
        target=server.serve, args=(lambda: ticks.append(time.monotonic()), 0.1), daemon=True
    )
    serving.start()
    until(lambda: len(ticks) > 1)
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (caller.fileno() + 1, before[1]))
        fill = []
        while True:
            try:
                fill.append(os.dup(0))
            except OSError:
                break
        caller.connect(listener.getsockname())
        caller.sendall(b"init\0")
        caller.shutdown(socket.SHUT_WR)
        until(lambda: listener.asked >= 3)
        time.sleep(0.5)  # what would be 100,000 rounds
        asked, ticked = listener.asked, len(ticks)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in fill:
            os.close(descriptor)
    assert asked < 20
    assert ticked > 3, "the watchdog is fed meanwhile"
    assert answered.wait(5)
    assert (
        len([one for one in caplog.records if "No call can be accepted (Too many" in one.getMessage()]) == 1
    )
    server.stop()
    serving.join(5)
    caller.close()
    server.close()


def test_a_library_s_traceback_of_a_peer_that_hung_up_is_not_in_the_agent_s_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loud = logging.getLogger("paramiko")
    before = loud.level
    try:
        journal.Log()
        logging.getLogger("paramiko.transport").error("Exception (client): Error reading SSH protocol banner")
        logging.getLogger("pyroute2").error("said")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        loud.setLevel(before)
        for ours in journal.OURS:
            logging.getLogger(ours).setLevel(logging.NOTSET)
    said = capsys.readouterr().err
    assert "pyroute2" in said or "said" in said
    assert "protocol banner" not in said
