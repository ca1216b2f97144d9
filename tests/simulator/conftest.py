"""A running array and clients that speak true SSH with it (paramiko's client, none of the product's code)."""

from __future__ import annotations

import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from simulator.array import Settings, Simulator
from simulator.face.limits import Limits
from simulator.model.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.dataplane.plane import DataPlane

UNLIMITED = Limits(burst=0, unauthenticated=0, active=0, channels=0)
IQN = "iqn.1993-08.org.debian:01:node-a"
WAIT = 10.0


@dataclass(frozen=True)
class Reply:
    """What one exec request gave back; status -1: the channel ended without one."""

    stdout: str
    stderr: str
    status: int

    @property
    def code(self) -> str:
        return self.stderr.split(" ")[0].strip()

    def rows(self, delimiter: str = "!") -> list[dict[str, str]]:
        """The list view's rows by column name."""
        header, *lines = [line.split(delimiter) for line in self.stdout.splitlines()] or [[]]
        return [dict(zip(header, line, strict=True)) for line in lines]

    def sections(self, delimiter: str = "!") -> list[list[tuple[str, str]]]:
        """The detail view's pairs, section by section."""
        blocks = self.stdout.split("\n\n")
        return [[tuple(line.split(delimiter, 1)) for line in block.splitlines()] for block in blocks]  # type: ignore[misc]


class Client:
    """One SSH connection; a channel for each command."""

    def __init__(self, array: Simulator, user: str = "superuser", password: str = "passw0rd") -> None:
        host, _, port = array.address.rpartition(":")
        sock = socket.create_connection((host, int(port)), WAIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport = paramiko.Transport(sock)
        try:
            self.transport.connect(username=user, password=password)
        except BaseException:
            self.transport.close()
            raise

    def run(self, line: str) -> Reply:
        """Run a line; raises SSHException, EOFError or OSError when the connection breaks."""
        return finish(self.begin(line))

    def begin(self, line: str) -> paramiko.Channel:
        channel = self.transport.open_session(timeout=WAIT)
        channel.settimeout(WAIT)
        channel.exec_command(line)
        return channel

    def rows(self, line: str) -> list[dict[str, str]]:
        return self.good(f"mcsinq {line} -delim !").rows()

    def good(self, line: str) -> Reply:
        reply = self.run(line)
        assert (reply.status, reply.stderr) == (0, ""), reply
        return reply

    def refusal(self, line: str) -> str:
        """The code with which the array refuses this line."""
        reply = self.run(line)
        assert (reply.status, reply.stdout) == (1, ""), reply
        return reply.code

    def close(self) -> None:
        self.transport.close()


def finish(channel: paramiko.Channel) -> Reply:
    stdout = channel.makefile("rb").read()
    stderr = channel.makefile_stderr("rb").read()
    return Reply(stdout.decode(), stderr.decode(), channel.recv_exit_status())


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as text:  # the path of a unix socket has a short limit
        yield Path(text)


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., Simulator]]:
    """Start arrays; the same state directory each time, so that a second one is a restart."""
    running: list[Simulator] = []

    def make(plane: DataPlane | None = None, **changes: Any) -> Simulator:
        fields: dict[str, Any] = {"limits": UNLIMITED, "topology": Topology(name="lab")} | changes
        running.append(Simulator(Settings(state=directory, control=directory / "c", **fields), plane).start())
        return running[-1]

    yield make
    for array in running:
        array.stop()


@pytest.fixture
def array(start: Callable[..., Simulator]) -> Simulator:
    return start()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(*arguments: Any, **fields: Any) -> Client:
        clients.append(Client(*arguments, **fields))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ssh(array: Simulator, connect: Callable[..., Client]) -> Client:
    return connect(array)
