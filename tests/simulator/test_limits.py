"""The array lets in no more connections and channels than the family does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import paramiko
import pytest

from simulator.array import Simulator
from simulator.face.limits import Limits
from tests.simulator.conftest import Client

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = (paramiko.SSHException, EOFError, OSError)
Start = Callable[..., Simulator]
Connect = Callable[..., Client]


def test_a_fourth_connection_at_once_is_dropped(start: Start, connect: Connect) -> None:
    array = start(limits=Limits(burst=3, rate=0.001, unauthenticated=0, active=0))
    clients = [connect(array) for _ in range(3)]
    with pytest.raises(REFUSED):
        connect(array)
    assert all(client.rows("lsnode") for client in clients)
    connections = array.control.do("counters")["connections"]
    assert (connections["opened"], connections["peak"], connections["refused"]) == (3, 3, 1)


def test_connections_that_do_not_log_in_keep_others_out(start: Start, connect: Connect) -> None:
    array = start(limits=Limits(burst=0, unauthenticated=3))
    host, _, port = array.address.rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(3)]
    try:
        assert all(sock.recv(4) == b"SSH-" for sock in idle)
        with pytest.raises(REFUSED):
            connect(array)
    finally:
        for sock in idle:
            sock.close()


def test_a_connection_one_too_many_ends_after_it_logged_in(start: Start, connect: Connect) -> None:
    array = start(limits=Limits(burst=0, active=2))
    connect(array), connect(array)
    with pytest.raises(REFUSED):
        connect(array).rows("lsnode")
    assert array.control.do("counters")["connections"]["refused"] == 1


def test_a_slot_is_free_again_when_its_connection_ends(start: Start, connect: Connect) -> None:
    array = start(limits=Limits(burst=0, active=1))
    for _ in range(3):
        client = connect(array)
        assert client.rows("lsnode")
        client.close()
        client.transport.join(5)
        _settle(array)


def test_a_connection_has_so_many_channels_and_no_more(start: Start, connect: Connect) -> None:
    array = start(limits=Limits(channels=2))
    array.control.do("fault", command="lsnode", delay=3600, times=0)
    client = connect(array)
    channels = [client.begin("mcsinq lsnode") for _ in range(2)]
    with pytest.raises(paramiko.ChannelException):
        client.begin("mcsinq lsnode")
    array.control.do("clear")
    assert all(channel.recv_exit_status() == 0 for channel in channels)
    assert client.rows("lsnode")


def test_a_key_logs_in_too(start: Start, directory: Path) -> None:
    key = paramiko.RSAKey.generate(2048)
    array = start(keys=(key.get_base64(),))
    host, _, port = array.address.rpartition(":")
    transport = paramiko.Transport((host, int(port)))
    try:
        transport.connect(username="superuser", pkey=key)
        channel = transport.open_session()
        channel.exec_command("mcsinq lsnode")
        assert channel.recv_exit_status() == 0
    finally:
        transport.close()


def test_there_is_no_shell_to_talk_to(ssh: Client) -> None:
    channel = ssh.transport.open_session()
    with pytest.raises(paramiko.SSHException):
        channel.invoke_shell()


def _settle(array: Simulator) -> None:
    deadline = time.monotonic() + 5
    while array.control.do("counters")["connections"]["now"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
