"""An agent that leaves without an answer, as one that is replaced: the call is sent to the next one, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.stub.call import call
from tests.stub.conftest import SUCCESS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.stub.conftest import Agent, Stub

pytestmark = pytest.mark.subprocess
VERBS = ("waitforattach", "mountdevice", "mount", "unmount", "unmountdevice", "expandfs", "detach")


def leaving(times: int, said: bytes = b"") -> Callable[[socket.socket], None]:
    """An agent that closes so many connections without an answer, and answers those that come then."""
    left = [said] * times

    def behave(peer: socket.socket) -> None:
        peer.sendall(left.pop() if left else SUCCESS)

    return behave


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_an_ending_agent_did_not_answer_reaches_the_next_one(
    stub: Stub, agent: Callable[..., Agent], verb: str
) -> None:
    started = agent(leaving(1))
    assert call(stub, started, verb, "/d", "{}").json == {"status": "Success"}
    assert started.calls == [[verb.encode(), b"/d", b"{}"]] * 2


def test_what_was_said_of_its_progress_is_no_answer(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent(leaving(1, b"Pmapping, since 10:00\n"))
    assert call(stub, started).json == {"status": "Success"}


def test_a_call_is_sent_twice_at_most(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent(leaving(2))
    assert "closed the connection" in call(stub, started).failure()
    assert len(started.calls) == 2


def test_a_begun_answer_is_not_asked_for_again(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent(leaving(1, b'0{"status":'))
    assert "broke off" in call(stub, started).failure()
    assert len(started.calls) == 1


def test_a_detach_whose_agent_is_gone_for_good_is_no_success(stub: Stub, agent: Callable[..., Agent]) -> None:
    """Nobody listens where an agent was a moment ago: that is no machine without an agent."""

    def removed(peer: socket.socket) -> None:
        started.path.unlink()

    started = agent(removed)
    assert "closed the connection" in call(stub, started, "detach", "pvc-1", "nodea").failure()


def test_both_attempts_have_one_deadline(stub: Stub, agent: Callable[..., Agent]) -> None:
    waits = iter((0.7, 5.0))
    started = agent(lambda peer: time.sleep(next(waits)))
    answer = call(stub, started, INSTORAGE_STUB_DEADLINE_MS="1000")
    assert "within 1 s" in answer.failure()
    assert 0.9 < answer.seconds < 2
