"""Calls that reach an agent: what it is told, and what kubelet sees of its answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodeagent.operation.answer import Answer, Status
from nodeagent.service.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub.conftest import Agent, Stub

pytestmark = pytest.mark.subprocess

RECORDED: list[list[str]] = json.loads((Path(__file__).parent / "kubelet-argv.json").read_text())
OWN = {"init", "getvolumename", "attach", "isattached"}
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


def env(agent: Agent, **more: str) -> dict[str, str]:
    return {"INSTORAGE_AGENT_SOCKET": str(agent.path), **more}


def fresh(directory: Path) -> Path:
    return directory / f"{len(list(directory.iterdir()))}.sock"


def test_every_recorded_call_reaches_the_agent_byte_for_byte(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent()
    wanted = [call for call in RECORDED if call[0] not in OWN]
    assert {call[0] for call in wanted} >= {"waitforattach", "mountdevice", "mount", "unmount", "expandfs"}
    for call in wanted:
        answer = stub.run(*call, env=env(started))
        assert (answer.status, answer.json) == (0, {"status": "Success"})
    assert started.calls == [[part.encode() for part in call] for call in wanted]


def test_calls_that_need_no_agent_do_not_disturb_it(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent()
    for call in (call for call in RECORDED if call[0] in OWN):
        stub.run(*call, env=env(started))
    assert started.calls == []


def test_an_empty_device_stays_an_argument(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent()
    stub.run("expandfs", "{}", "", "/d", "2", "1", env=env(started))
    stub.run("mount", "", env=env(started))
    assert started.calls == [[b"expandfs", b"{}", b"", b"/d", b"2", b"1"], [b"mount", b""]]


@pytest.mark.parametrize(
    ("sent", "status", "printed"),
    [
        (b'0{"status":"Success"}', 0, b'{"status":"Success"}\n'),
        (b'0{"status":"Success"}\n', 0, b'{"status":"Success"}\n'),
        (b'1{"status":"Failure","message":"boom"}', 1, b'{"status":"Failure","message":"boom"}\n'),
        (b'0{"status":"Not supported"}', 0, b'{"status":"Not supported"}\n'),
        ('0{"m":"«Größe» 卷 \\" \\\\ }{ ["}'.encode(), 0, '{"m":"«Größe» 卷 \\" \\\\ }{ ["}\n'.encode()),
        (b'Pmapping, since 12:00\nPscanning, since 12:01\n0{"a":{"b":[1,{}]}}', 0, b'{"a":{"b":[1,{}]}}\n'),
        (b"P\n" * 5000 + b"0{}", 0, b"{}\n"),
        (b"P" + b"x" * 100_000 + b"\n0{}", 0, b"{}\n"),
    ],
)
def test_the_agents_answer_is_printed_as_it_is(
    stub: Stub, agent: Callable[..., Agent], sent: bytes, status: int, printed: bytes
) -> None:
    answer = stub.run("mount", "/d", "{}", env=env(agent(sent)))
    assert (answer.status, answer.text) == (status, printed)


def test_an_answer_may_come_one_byte_at_a_time(stub: Stub, agent: Callable[..., Agent]) -> None:
    def drip(peer: socket.socket) -> None:
        for byte in b'Pscanning\n0{"status":"Success"}':
            peer.sendall(bytes([byte]))

    assert stub.run("mount", "/d", "{}", env=env(agent(drip))).text == b'{"status":"Success"}\n'


def test_an_answer_of_64_kib_is_printed_and_one_byte_more_is_refused(
    stub: Stub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    whole = b'{"message":"' + b"x" * (65536 - 14) + b'"}'
    assert len(whole) == 65536
    for sent in (b"0" + whole, b"0" + whole + b"\n"):
        assert stub.run("mount", env=env(agent(sent, path=fresh(tmp_path)))).text == whole + b"\n"
    for sent in (b"0 " + whole, b"0" + whole[:-2] + b'x"}', b"0" + whole + b"\n\n", b"0" + whole * 30):
        answer = stub.run("mount", env=env(agent(sent, path=fresh(tmp_path))))
        assert "longer than 64 KiB" in answer.failure()


def test_an_agent_that_answers_before_it_has_read_everything_is_heard(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    started = agent(b'1{"status":"Failure","message":"too much"}', reads=False)
    answer = stub.run("mount", *["x" * 100_000], env=env(started))
    assert answer.failure() == "too much"


def test_arguments_up_to_128_kib_are_passed_and_more_is_refused(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    started = agent()
    half = "x" * 65535
    assert stub.run("mount", half, half[:-6], env=env(started)).status == 0
    assert [len(part) for part in started.calls[0]] == [5, 65535, 65529]
    assert "longer than 128 KiB" in stub.run("mount", half, half[:-5], env=env(started)).failure()
    assert len(started.calls) == 1


@FUZZ
@given(arguments=st.lists(st.binary(max_size=300).filter(lambda part: b"\0" not in part), max_size=6))
def test_any_bytes_on_the_command_line_arrive_unchanged(
    built_stub: Stub, echo: Agent, arguments: list[bytes]
) -> None:
    before = len(echo.calls)
    answer = built_stub.run("mount", *arguments, env=env(echo))
    assert answer.json["status"] == "Success"
    assert echo.calls[before:] == [[b"mount", *arguments]]


@FUZZ
@given(command=st.text(max_size=20).filter(lambda c: "\0" not in c and not c.startswith("ext-")))
def test_a_command_of_any_name_gets_a_well_formed_answer(built_stub: Stub, command: str) -> None:
    name = command.encode("utf-8", "surrogatepass")
    assert built_stub.run(name, env={"INSTORAGE_AGENT_SOCKET": "/nowhere/sock"}).json["status"]


def test_the_place_beside_the_stub_is_used_when_there_is_no_other(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    started = agent(path=stub.directory / ".agent.sock")
    assert stub.run("mount", "/d").json == {"status": "Success"}
    assert started.calls == [[b"mount", b"/d"]]


def test_an_empty_variable_counts_as_unset(stub: Stub, agent: Callable[..., Agent]) -> None:
    agent(path=stub.directory / ".agent.sock")
    assert stub.run("mount", "/d", env={"INSTORAGE_AGENT_SOCKET": ""}).json == {"status": "Success"}


def test_the_agents_own_side_of_the_wire_is_understood(stub: Stub, agent: Callable[..., Agent]) -> None:
    said = []

    def serve(peer: socket.socket) -> None:
        caller = Caller(peer)
        said.append(caller.arguments())
        caller.progress("looking for paths, since 12:00:01")
        caller.finish(Answer(Status.FAILURE, "größe «卷» \x7f\n."))

    answer = stub.run("mount", "", "卷", env=env(agent(serve, reads=False)))
    assert answer.failure() == "größe «卷»   ."
    assert said == [["mount", "", "卷"]]


def test_the_place_beside_the_stub_may_be_very_deep(
    stub: Stub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    deep = tmp_path.joinpath(*["d" * 60] * 5)
    deep.mkdir(parents=True)
    moved = stub.program.rename(deep / "instorage-flexvolume")
    started = agent(path=deep / ".agent.sock")
    done = subprocess.run(
        [*stub.prefix, moved, "mount", "/d"], env={}, capture_output=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == (b'{"status":"Success"}\n', b"")
    assert started.calls == [[b"mount", b"/d"]]


def test_a_closed_standard_output_does_not_send_the_answer_to_the_agent(
    stub: Stub, agent: Callable[..., Agent]
) -> None:
    left: list[bytes] = []

    def answer_and_listen(peer: socket.socket) -> None:
        peer.sendall(b'0{"status":"Success"}')
        peer.shutdown(socket.SHUT_WR)
        left.append(peer.recv(100))

    started = agent(answer_and_listen)
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *map(str, stub.argv("mount", "/d"))]
    done = subprocess.run(line, env=env(started), timeout=30, check=False)
    assert done.returncode == 1
    until = time.monotonic() + 10
    while not left and time.monotonic() < until:
        time.sleep(0.01)
    assert (started.calls, left) == ([[b"mount", b"/d"]], [b""])


def test_a_reader_that_went_away_ends_the_stub_quietly(stub: Stub, agent: Callable[..., Agent]) -> None:
    started = agent()
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as gone:
        done = subprocess.run(stub.argv("mount"), env=env(started), stdout=gone, timeout=30, check=False)
    assert done.returncode == 1
