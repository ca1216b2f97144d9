"""multipathd's abstract socket: whoever takes its name while it is away is not listened to."""

from __future__ import annotations

import os
import secrets
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from helper import multipath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534
ANSWER = b"pid 1 running\0"


@pytest.fixture
def squatter() -> Iterator[Callable[[int], str]]:
    """Start programs of a user that have the name of multipathd and answer, a byte every 0.2 s."""
    children = []

    def start(uid: int) -> str:
        name = f"\0multipathd-{secrets.token_hex(8)}"
        ready, said = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.setresuid(uid, uid, uid)
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(name)
                listener.listen(8)
                os.write(said, b"x")
                while True:
                    threading.Thread(target=_drip, args=(listener.accept()[0],), daemon=True).start()
            finally:
                os._exit(1)
        children.append(pid)
        assert os.read(ready, 1) == b"x"
        return name

    yield start
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _drip(peer: socket.socket) -> None:
    for byte in struct.pack("@N", len(ANSWER)) + ANSWER:
        peer.send(bytes((byte,)))
        time.sleep(0.2)


@pytest.mark.root
def test_another_users_program_under_its_name_is_not_asked(
    squatter: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipath, "SOCKETS", (squatter(NOBODY),))
    begun = time.monotonic()
    assert multipath.ask("show daemon", begun + 1) is None
    assert time.monotonic() - begun < 1, "a stranger kept the helper waiting"


@pytest.mark.slow
def test_one_that_drips_its_answer_keeps_no_volume_locked_beyond_the_deadline(
    squatter: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte it takes 4 s: each comes before a socket's own timeout."""
    monkeypatch.setattr(multipath, "SOCKETS", (squatter(os.getuid()),))
    begun = time.monotonic()
    assert multipath.ask("show daemon", begun + 1) is None
    assert time.monotonic() - begun < 3


@pytest.mark.slow
def test_the_true_one_is_asked(squatter: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipath, "SOCKETS", (squatter(os.getuid()),))
    assert multipath.ask("show daemon", time.monotonic() + 10) == "pid 1 running"
