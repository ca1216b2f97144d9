"""An agent that speaks nonsense: kubelet still gets one JSON object, and no part of one."""

from __future__ import annotations

import json
import re
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stub.call import UNIT, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub.conftest import Agent, Stub

pytestmark = pytest.mark.subprocess


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


NONSENSE = [
    (b"", "closed the connection"),
    (b"Pworking\n", "closed the connection"),
    (b"Phalf a line", "closed the connection"),
    (b"0", "it is empty"),
    (b"0\n", "it is empty"),
    (b'2{"status":"Success"}', "does not speak this protocol"),
    (b'{"status":"Success"}', "does not speak this protocol"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak this protocol"),
    (b"0garbage", "not a JSON object"),
    (b'0["Success"]', "not a JSON object"),
    (b'0{"status":"Success"', "it broke off"),
    (b'0{"status":"Succ}', "it broke off"),
    (b'0{"capabilities":{"attach":true}', "it broke off"),
    (b'0{"status":"Success\\"}', "it broke off"),
    (b'0{"status":"Success"}{"status":"Success"}', "something follows"),
    (b'0{"status":"Success"}\n\n', "something follows"),
    (b'0{"status":"Success"} ', "something follows"),
    (b'0{"status":"\x00"}', "not printable"),
    (b'0{"status":"\x1b[31m"}', "not printable"),
    (b'0{"status":"\xff"}', "not printable"),
    (b'0{"status":"\xed\xa0\x80"}', "not printable"),
    (b'0{"status":"\xc0\xaf"}', "not printable"),
    (b'0{"status":"\xe2\x82', "not printable"),
]


@pytest.mark.parametrize(("sent", "why"), NONSENSE)
def test_nonsense_becomes_a_failure_that_says_what_is_wrong(
    stub: Stub, agent: Callable[..., Agent], sent: bytes, why: str
) -> None:
    started = agent(sent)
    message = call(stub, started).failure()
    assert why in message
    assert str(started.path) in message
    assert UNIT in message


def test_a_reset_connection_becomes_a_failure(stub: Stub, agent: Callable[..., Agent]) -> None:
    assert "closed the connection" in call(stub, agent(reset, reads=False)).failure()


FUZZ = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@FUZZ
@given(sent=st.binary(max_size=200) | st.text(alphabet='01P\n{}[]",:\\ é', max_size=40).map(str.encode))
def test_whatever_the_agent_says_what_is_printed_is_json_or_the_agents_own_object(
    built_stub: Stub, agent: Callable[..., Agent], sent: bytes
) -> None:
    answer = call(built_stub, agent_for(agent, sent))
    record = re.fullmatch(rb"(?s)(?:P[^\n]*\n)*([01])(\{.*\})\n?", sent)
    if record and answer.text == record[2] + b"\n":
        assert answer.status == int(record[1])
    else:
        answer.failure()


@FUZZ
@given(
    value=st.dictionaries(st.text(), VALUES, max_size=4), ascii_only=st.booleans(), cut=st.integers(0, 10**6)
)
def test_every_whole_object_passes_and_no_part_of_one_does(
    built_stub: Stub, agent: Callable[..., Agent], value: dict[str, object], ascii_only: bool, cut: int
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).replace("\x7f", "\\u007f").encode()
    assert call(built_stub, agent_for(agent, b"0" + text)).text == text + b"\n"
    call(built_stub, agent_for(agent, b"0" + text[: cut % len(text)])).failure()


def agent_for(agent: Callable[..., Agent], sent: bytes) -> Agent:
    """One agent for all examples of a test: what it says is swapped."""
    known: Agent | None = getattr(agent, "known", None)
    if known is None:
        known = agent(sent)
        agent.known = known  # type: ignore[attr-defined]
    known.behaviour = lambda peer: peer.sendall(sent)
    return known
