"""One bench a test, and addresses of the loopback network that play portals."""

from __future__ import annotations

import itertools
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, compared
from tests.agent.expanding import PATIENCE, Pair
from tests.agent.fabric import Fabric
from tests.agent.path_world import PathWorld, Port
from tests.agent.service import Service
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ISCSI_PORT = 3260
_numbers = itertools.count()


def loopback() -> str:
    """An address that no other test process listens on."""
    number = next(_numbers)
    return f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250}.{number % 250 + 1}"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: unix sockets have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="agent-") as name:
        yield Path(name)


@pytest.fixture
def portal() -> Iterator[Callable[[], str]]:
    """Make addresses on which something listens."""
    listeners = []

    def make() -> str:
        address = loopback()
        listener = socket.create_server((address, ISCSI_PORT), backlog=4096)  # nobody accepts
        listeners.append(listener)
        return f"{address}:{ISCSI_PORT}"

    yield make
    for listener in listeners:
        listener.close()


@pytest.fixture
def service(directory: Path, portal: Callable[[], str]) -> Iterator[Service]:
    """The agent as a process of its own, for a test to start, and a bench around it."""
    bench = Bench(directory, {1: portal(), 2: portal()})
    made = Service(bench)
    yield made
    made.close()
    bench.close()


@pytest.fixture
def silent_portal() -> Iterator[Callable[[], str]]:
    """Make addresses that never answer: their backlog is full, so the kernel drops every SYN."""
    held = []

    def make() -> str:
        address = loopback()
        listener = socket.socket()
        listener.bind((address, ISCSI_PORT))
        listener.listen(0)
        held.append(listener)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, ISCSI_PORT))
            held.append(filler)
        return f"{address}:{ISCSI_PORT}"

    yield make
    for one in held:
        one.close()


@pytest.fixture
def bench(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node with two portals and an agent that runs."""
    made = Bench(directory, {1: portal(), 2: portal()})
    made.start()
    yield made
    made.close()


@pytest.fixture
def pair(directory: Path, portal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A pod's active-active volume; `instoragectl` finds this node by its environment."""
    made = Bench(directory, {1: portal(), 2: portal()}, patience=PATIENCE)
    monkeypatch.setenv("INSTORAGE_HELPER_SOCKET", str(directory / "helper.sock"))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory / "state"))
    monkeypatch.setattr("nodeagent.administration.barrier.leave_root", lambda _: None)
    made.start()
    yield Pair(made)
    made.do("clear")
    made.close()


@pytest.fixture
def late() -> Iterator[Port]:
    port = Port(f"{loopback()}:{ISCSI_PORT}")
    yield port
    port.close()


@pytest.fixture
def world(directory: Path, portal: Callable[[], str], late: Port) -> Iterator[PathWorld]:
    """A node whose second portal nobody answers at yet; what is degraded is looked at ten times a second."""
    bench = Bench(directory, {1: portal(), 2: late.name}, look=0.1)
    made = PathWorld(bench)
    bench.start()
    compared()
    yield made
    bench.close()


@pytest.fixture
def fabric(directory: Path, portal: Callable[[], str]) -> Iterator[Fabric]:
    """A volume that a pod uses over the one port that the first adapter sees."""
    bench = Bench(directory, {1: portal(), 2: portal()}, look=0.1)
    bench.plug()
    bench.array._cli.operate("mkhost", "-force", "-hbawwpn", ":".join(WWPNS), "-name", "fc-node1")
    made = Fabric(bench)
    made.log_in(0, 1)
    bench.create("pvc-1")
    bench.start()
    compared()
    bench.use("pvc-1")
    assert made.disks() == 1
    yield made
    bench.close()
