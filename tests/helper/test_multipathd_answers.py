"""What multipathd says counts only as a whole."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from helper import multipath

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (multipath._LENGTH.pack(3) + b"ok\0", "ok"),
        (multipath._LENGTH.pack(9) + b"ok\0", None),
        (multipath._LENGTH.pack(3)[:4], None),
        (b"", None),
    ],
)
def test_an_answer_that_was_broken_off_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, heard: str | None
) -> None:
    monkeypatch.setattr(multipath, "SOCKETS", (str(tmp_path / "socket"),))
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "socket"))
        daemon.listen()

        def serve() -> None:
            with daemon.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(said)

        serving = threading.Thread(target=serve)
        serving.start()
        assert multipath.ask("show daemon", time.monotonic() + 5) == heard
        serving.join(5)
