"""The limit of a message holds however its bytes arrive."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from instorage.wire.fault import Fault
from instorage.wire.varlink import MAX_MESSAGE, Stream


def received(data: bytes, first: int) -> dict[str, object] | None:
    """Receive `data` of which `first` bytes come before the rest."""
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def send() -> None:
            theirs.sendall(data[:first])
            time.sleep(0.05)
            theirs.sendall(data[first:])

        sender = threading.Thread(target=send)
        sender.start()
        try:
            return Stream(ours).receive(time.monotonic() + 10)
        finally:
            sender.join()


def filled(size: int) -> bytes:
    """Return a message of so many bytes, NUL included."""
    return b'{"a":"' + b"x" * (size - 9) + b'"}\0'


@pytest.mark.parametrize("first", [1, 16384, MAX_MESSAGE - 2, MAX_MESSAGE - 1])
def test_a_message_may_have_the_limit_and_not_a_byte_more(first: int) -> None:
    assert received(filled(MAX_MESSAGE), first)
    for size in (MAX_MESSAGE + 1, MAX_MESSAGE + 1000):
        with pytest.raises(Fault, match="over the limit"):
            received(filled(size), first)
