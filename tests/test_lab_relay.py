"""The named ways through the lab's wall: no machine is started."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tools.kube.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that answers what it is told in capitals, and ends when its client does."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(1000):
                    connection.sendall(data.upper())

    thread = threading.Thread(target=serve)
    thread.start()
    yield int(server.getsockname()[1])
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def said(path: Path, text: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1000), b""))


def test_a_socket_leads_to_its_port_and_a_port_to_its_socket(echo: int, tmp_path: Path) -> None:
    with Relay() as relay:
        relay.socket_to_port(tmp_path / "in", echo)
        assert said(tmp_path / "in", b"over there") == b"OVER THERE"
        with socket.create_connection(("127.0.0.1", relay.port_to_socket(tmp_path / "in")), 10) as client:
            client.sendall(b"and back")
            assert client.recv(1000) == b"AND BACK"


def test_the_proxy_leads_to_the_kubelets_that_it_knows_and_nowhere_else(echo: int, tmp_path: Path) -> None:
    with Relay() as relay:
        relay.proxy(tmp_path / "proxy", {"10.9.0.11:10250": echo})
        known = said(tmp_path / "proxy", b"CONNECT 10.9.0.11:10250 HTTP/1.1\r\nHost: x\r\n\r\nhello")
        assert known == b"HTTP/1.1 200 OK\r\n\r\nHELLO"
        elsewhere = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\nhello" % echo
        assert said(tmp_path / "proxy", elsewhere) == b"HTTP/1.1 403 Forbidden\r\n\r\n"
        assert said(tmp_path / "proxy", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_a_target_that_is_not_there_ends_the_connection(tmp_path: Path) -> None:
    with Relay() as relay:
        relay.socket_to_port(tmp_path / "in", 1)
        answer = b""
        with contextlib.suppress(ConnectionError):  # what was sent may be unread at the end
            answer = said(tmp_path / "in", b"anybody?")
        assert answer == b""
