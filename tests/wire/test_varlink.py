"""Messages between agent and helper survive whatever a peer does with the bytes."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.wire.fault import Code, Fault
from instorage.wire.varlink import MAX_MESSAGE, Stream, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Stream]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs, Stream(ours)


def soon() -> float:
    return time.monotonic() + 5


@given(message=st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_sent_arrives(message: dict[str, object]) -> None:
    assert decode(encode(message)[:-1]) == message


@given(data=st.binary(max_size=300))
def test_any_bytes_give_an_object_or_a_fault(data: bytes) -> None:
    try:
        assert isinstance(decode(data), dict)
    except Fault as fault:
        assert fault.code is Code.PROTOCOL


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":NaN}',
        b'{"a":' + b"[" * 20000 + b"]" * 20000 + b"}",
        b"[1]",
        b'{"a":"\xff"}',
        b"",
    ],
)
def test_a_message_that_breaks_a_rule_is_refused(data: bytes) -> None:
    with pytest.raises(Fault) as refused:
        decode(data)
    assert refused.value.code is Code.PROTOCOL


def test_two_messages_in_one_packet_are_two_messages(pair: tuple[socket.socket, Stream]) -> None:
    peer, stream = pair
    peer.sendall(b'{"a":1}\0{"b":2}\0')
    assert [stream.receive(soon()), stream.receive(soon())] == [{"a": 1}, {"b": 2}]


def test_a_peer_that_hangs_up_between_messages_is_no_error(pair: tuple[socket.socket, Stream]) -> None:
    peer, stream = pair
    peer.close()
    assert stream.receive(soon()) is None


def test_half_a_message_is_refused(pair: tuple[socket.socket, Stream]) -> None:
    peer, stream = pair
    peer.sendall(b'{"a":')
    peer.close()
    with pytest.raises(Fault, match="within a message"):
        stream.receive(soon())


def test_a_message_over_the_limit_is_refused_before_it_is_read_whole(
    pair: tuple[socket.socket, Stream],
) -> None:
    peer, stream = pair
    peer.sendall(b"x" * (MAX_MESSAGE + 1))
    with pytest.raises(Fault, match="over the limit"):
        stream.receive(soon())


def test_a_silent_peer_costs_no_more_than_the_deadline(pair: tuple[socket.socket, Stream]) -> None:
    _, stream = pair
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        stream.receive(start + 0.05)
    assert time.monotonic() - start < 1
