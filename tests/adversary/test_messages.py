"""Messages that are broken or come slowly: one fault, the end of that connection, and nobody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.varlink import MAX_MESSAGE
from tests.adversary.conftest import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

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
