"""A real supervisor with its workers: who is served, what a broken peer does to others, when it leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from varlink import Client as VarlinkClient
from varlink import VarlinkError

from instorage.wire.fault import Code, Fault
from instorage.wire.interface import VERBS
from instorage.wire.varlink import MAX_MESSAGE
from tests.helper.conftest import HELPER, wait_for_end
from tests.helper.interface import FILE, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]


def test_the_written_interface_is_the_one_in_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == text()


def test_an_independent_varlink_client_can_drive_it(start: Start, run_directory: Path) -> None:
    start()
    with VarlinkClient(f"unix:{run_directory}/helper.sock") as client:
        assert HELPER in client.get_interfaces()
        with client.open(HELPER) as helper:
            assert set(helper.Initiator(op="test1")) <= {"iqn", "wwpns"}
            volumes = list(helper.Inspect(op="test1", _more=True))
            assert volumes
            with pytest.raises(VarlinkError) as refused:
                helper.Unmount(op="test1", target="/etc")
    assert refused.value.error() == f"{HELPER}.Fault"
    assert refused.value.parameters()["code"] == "not-allowed"


def test_errors_of_the_standard(start: Start, connect: Connect) -> None:
    start()
    client = connect()
    service = "org.varlink.service"
    assert client.call("com.example.What")["error"] == f"{service}.InterfaceNotFound"
    assert client.call(f"{HELPER}.Format")["error"] == f"{service}.MethodNotFound"
    assert client.call(f"{service}.Format")["error"] == f"{service}.MethodNotFound"
    unknown = client.call(f"{service}.GetInterfaceDescription", interface="com.example")
    assert unknown["error"] == f"{service}.InterfaceNotFound"
    assert (
        "interface"
        in client.call(f"{service}.GetInterfaceDescription", interface=HELPER)["parameters"]["description"]
    )


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "parameters", [{"op": "x"}, {"op": "test1", "evil": 1}, {"op": "a\nINSTORAGE_OP=forged"}, {}]
)
def test_a_malformed_request_is_a_fault_and_the_connection_goes_on(
    start: Start, connect: Connect, verb: str, parameters: dict[str, object]
) -> None:
    start()
    client = connect()
    client.send(json.dumps({"method": f"{HELPER}.{verb}", "parameters": parameters}).encode() + b"\0")
    answer = client.receive()
    assert answer is not None
    assert (answer["error"], answer["parameters"]["code"]) == (f"{HELPER}.Fault", "bad-request")
    assert client.call("Unmount", target="/etc")["parameters"]["code"] == "not-allowed"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"[]\0",
        b'{"method": 1}\0',
        b'{"method": "a.B", "method": "a.B"}\0',
        b'{"method": "a.B", "upgrade": true}\0',
        b'{"method": "a.B", "parameters": {"n": 99999999999999999999999}}\0',
        b'{"method": "a.B", "parameters": [' + b"[" * 1000 + b"\0",
        b"x" * (MAX_MESSAGE + 1),
        b"\xff\0",
    ],
)
def test_a_broken_message_ends_that_connection_only(start: Start, connect: Connect, data: bytes) -> None:
    start()
    other, broken = connect(), connect()
    broken.send(data)
    answer = broken.receive()
    assert answer is not None
    assert answer["parameters"]["code"] == "protocol"
    assert broken.receive() is None
    assert "parameters" in other.call("Initiator")


def test_a_peer_that_sends_a_byte_a_second_or_is_gone_stops_nobody(start: Start, connect: Connect) -> None:
    start()
    slow = connect()
    for _ in range(20):
        connect().close()
        slow.send(b"{")
        assert "parameters" in connect().call("Initiator")


def test_another_user_is_closed_unheard(start: Start, connect: Connect) -> None:
    start(users=frozenset((os.getuid() + 1,)))
    client = connect()
    assert client.receive() is None


def test_a_flood_of_strangers_does_not_stop_the_helper(start: Start, run_directory: Path) -> None:
    pid = start(users=frozenset((os.getuid() + 1,)))
    for _ in range(2000):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(run_directory / "helper.sock"))
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)


def test_too_many_connections_are_told_so(start: Start, connect: Connect) -> None:
    start(workers=3)
    served = [connect() for _ in range(3)]
    for client in served:
        client.call("Initiator")
    answer = connect().receive()
    assert answer is not None
    assert "serves 3 connections already" in answer["parameters"]["sentence"]
    served[0].close()
    deadline = time.monotonic() + 10
    while (answer := _try(connect)) is None:
        assert time.monotonic() < deadline, "a place that became free is not given again"


def _try(connect: Connect) -> dict[str, object] | None:
    try:
        answer = connect().call("Initiator")
    except (AssertionError, OSError):
        return None
    return None if "error" in answer else answer


def test_a_broken_configuration_is_the_answer_to_every_call(start: Start, connect: Connect) -> None:
    start(configured=Fault(Code.BAD_CONFIGURATION, "helper.conf can be written by others than root."))
    answer = connect().receive()
    assert answer is not None
    assert answer["parameters"]["code"] == "bad-configuration"


def test_a_worker_that_is_killed_takes_its_connection_only(start: Start, connect: Connect) -> None:
    pid = start()
    first, second = connect(), connect()
    first.call("Initiator")
    second.call("Initiator")
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(workers) == 2
    os.kill(int(workers[0]), signal.SIGKILL)
    assert first.receive() is None
    assert "parameters" in second.call("Initiator")
    assert "parameters" in connect().call("Initiator")


def test_it_leaves_when_nobody_is_connected_and_not_before(start: Start, connect: Connect) -> None:
    pid = start(idle=0.5)
    client = connect()
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        client.call("Initiator")
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    client.close()
    wait_for_end(pid)


def test_a_stop_ends_idle_workers_at_once(start: Start, connect: Connect) -> None:
    a_stop_ends_helper_and_worker(start, connect)


def a_stop_ends_helper_and_worker(start: Start, connect: Connect) -> None:
    pid = start()
    client = connect()
    client.call("Initiator")
    os.kill(pid, signal.SIGTERM)
    assert client.receive() is None
    wait_for_end(pid)


def test_a_stop_that_meets_a_worker_just_forked_ends_that_too(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has answered before the supervisor has come back from fork(2) (seen on a busy machine)."""
    fork = os.fork

    def slow() -> int:
        if pid := fork():
            time.sleep(0.3)
        return pid

    monkeypatch.setattr(os, "fork", slow)
    a_stop_ends_helper_and_worker(start, connect)


def test_who_comes_after_a_stop_is_left_to_the_next_helper(start: Start, connect: Connect) -> None:
    """Served now it would keep this helper, and the restart, for as long as it is connected."""
    pid = start()
    connect().call("Initiator")
    (worker,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    os.kill(worker, signal.SIGSTOP)  # as one that is in the middle of a verb
    os.kill(pid, signal.SIGTERM)
    late = connect()
    os.kill(worker, signal.SIGCONT)
    wait_for_end(pid)
    assert late.receive() is None
