"""An agent that is absent or hung: kubelet still gets one JSON object with the mend."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.stub.call import UNIT, call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stub.conftest import Agent, Stub

pytestmark = pytest.mark.subprocess
SHORT = {"INSTORAGE_STUB_DEADLINE_MS": "300"}


def hang(peer: socket.socket) -> None:
    """Say nothing until the stub has left."""
    watch = select.poll()
    watch.register(peer, 0)  # only POLLHUP: the stub's end of input is there from the start
    watch.poll(40_000)


def test_without_an_agent_the_answer_names_both_sockets_and_what_to_start(stub: Stub) -> None:
    for command in ("waitforattach", "mountdevice", "mount", "unmount", "unmountdevice", "expandfs", "bogus"):
        message = stub.run(command, "a", "b").failure()
        assert "/run/instorage/agent.sock (it does not exist)" in message
        assert f"{stub.directory}/.agent.sock (it does not exist)" in message
        assert "systemctl start instorage-node.target" in message
        assert UNIT in message


def test_detach_without_any_socket_succeeds_and_says_that_nothing_was_unmapped(stub: Stub) -> None:
    for env in (None, {"INSTORAGE_AGENT_SOCKET": str(stub.directory / "absent")}):
        answer = stub.run("detach", "pvc-1", "node1", env=env)
        assert (answer.status, answer.json["status"]) == (0, "Success")
        assert "nothing was unmapped" in answer.json["message"]


@pytest.mark.parametrize("command", ["detach", "mount"])
def test_a_socket_that_nobody_serves_is_a_failure_even_for_detach(
    stub: Stub, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stub.directory)  # the whole path may be too long for a socket's name
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(".agent.sock")
    message = stub.run(command, "pvc-1", "node1").failure()
    assert ".agent.sock (nobody listens there)" in message


def test_a_socket_that_is_only_a_file_is_a_failure(stub: Stub) -> None:
    (stub.directory / ".agent.sock").write_text("")
    assert "nobody listens there" in stub.run("detach", "pvc-1", "node1").failure()


def test_a_dead_first_place_does_not_take_the_second_away(
    stub: Stub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    started = agent(path=stub.directory / ".agent.sock")
    answer = stub.run("mount", env={"INSTORAGE_AGENT_SOCKET": str(tmp_path / "absent")})
    assert "absent (it does not exist)" in answer.failure()
    assert started.calls == [], "a socket that is named in the environment is the only one"
    assert stub.run("mount").status == 0


def test_a_socket_name_that_is_too_long_is_said(stub: Stub) -> None:
    answer = stub.run("mount", env={"INSTORAGE_AGENT_SOCKET": f"{stub.directory}/{'n' * 200}"})
    assert "nnnn (error " in answer.failure()


def test_a_path_with_quotes_and_foreign_bytes_stays_valid_json(stub: Stub) -> None:
    for name in (b'/no"where\\', b"/\xff\xfe", "/größe\n\x01\x7f".encode()):
        answer = stub.run("mount", env={b"INSTORAGE_AGENT_SOCKET": name})  # type: ignore[dict-item]
        assert "cannot be reached" in answer.failure()


@pytest.mark.parametrize("command", ["mount", "detach", "waitforattach"])
def test_a_hung_agent_ends_in_a_failure_at_the_deadline(
    stub: Stub, agent: Callable[..., Agent], command: str
) -> None:
    started = agent(hang)
    answer = call(stub, started, command, "a", "b", **SHORT)
    assert f"{started.path} did not answer within 300 ms" in answer.failure()
    assert UNIT in answer.failure()
    assert 0.29 <= answer.seconds < 10


def test_a_longer_deadline_or_a_senseless_one_is_not_believed(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    started = agent(b"0{}")
    for senseless in ("", "0", "-5", "x", "99999999999999999999999999"):
        assert call(stub, started, INSTORAGE_STUB_DEADLINE_MS=senseless).status == 0


@pytest.mark.lab  # for its 25 seconds
def test_detach_gives_up_after_25_seconds_of_its_own(built_stub: Stub, agent: Callable[..., Agent]) -> None:
    answer = call(built_stub, agent(hang), "detach", "a", "b", INSTORAGE_STUB_DEADLINE_MS="90000")
    assert "within 25 s" in answer.failure()
    assert 24.9 <= answer.seconds < 29


def test_an_agent_that_works_on_is_quoted_with_its_phase(stub: Stub, agent: Callable[..., Agent]) -> None:
    def work(peer: socket.socket) -> None:
        peer.sendall(
            'Pmapping, since 12:00:01\nPwaiting for «paths» "2 of 4"\\, since 12:00:03\nPhalf'.encode()
        )
        hang(peer)

    message = call(stub, agent(work), **SHORT).failure()
    assert message.startswith(
        'still working: waiting for «paths» "2 of 4"\\, since 12:00:03 (this call waited 300 ms'
    )


def test_progress_is_cut_at_200_bytes_and_stays_valid_json(stub: Stub, agent: Callable[..., Agent]) -> None:
    def work(peer: socket.socket) -> None:
        peer.sendall(b"P" + "卷".encode() * 100 + b"\n")
        hang(peer)

    message = call(stub, agent(work), **SHORT).failure()
    assert message.startswith("still working: " + "卷" * 66 + "?? (")


def test_an_agent_that_never_stops_talking_is_left_at_the_deadline(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    def talk(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"Pstill mapping\n" * 100)

    answer = call(stub, agent(talk), **SHORT)
    assert "still working: still mapping" in answer.failure()
    assert answer.seconds < 10


def test_an_agent_that_reads_nothing_is_left_at_the_deadline(stub: Stub, agent: Callable[..., Agent]) -> None:
    done = threading.Event()
    started = agent(lambda _: bool(done.wait(20)), reads=False)
    message = call(stub, started, "mount", "x" * 120_000, "y" * 10_000, **SHORT).failure()
    done.set()
    assert "did not answer within 300 ms" in message


def test_a_full_queue_of_calls_is_waited_for_and_then_said(stub: Stub, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "full"))
        listener.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(tmp_path / "full"))
        answer = stub.run("detach", "a", "b", env={"INSTORAGE_AGENT_SOCKET": str(tmp_path / "full"), **SHORT})
    assert "its queue of calls stays full" in answer.failure()
    assert 0.29 <= answer.seconds < 10
