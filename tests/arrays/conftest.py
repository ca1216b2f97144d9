"""A simulated array in this process, spoken to over true SSH, and clients of it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint, Limits
from instorage.arrays.model import Initiator, Level, Provisioning, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, Iqn
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIB = 1 << 30
NODE = Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:node1"))
NAMES = ("iscsi-node1", "iscsi-node1.example.org")
V1 = VolumeName("v1")


# patience for tests: reconnecting must not take half a second each time
LIMITS = Limits(connect=5, dropped=5, query=5, operation=5, spacing=0.05)


class Rig:
    """The array, its control socket, and clients that are closed in the end."""

    def __init__(self, simulator: Simulator, directory: Path) -> None:
        self.simulator = simulator
        self.password = "passw0rd"
        self.known_hosts = directory / "known_hosts"
        self._clients: list[As18000] = []

    @property
    def port(self) -> int:
        return int(self.simulator.address.rpartition(":")[2])

    def client(self, **changes: Any) -> As18000:
        """A client as a new process would have it; limits, quarantine, fields of `Endpoint` can be given."""
        limits, resting = changes.pop("limits", LIMITS), changes.pop("quarantine", None)
        fields: dict[str, Any] = {
            "name": "storage-01",
            "address": "127.0.0.1",
            "port": self.port,
            "username": "superuser",
            "password": lambda: self.password,
        } | changes
        client = As18000(Endpoint(**fields), self.known_hosts, limits, resting)
        self._clients.append(client)
        return client

    def do(self, verb: str, **fields: Any) -> Any:
        return self.simulator.control.do(verb, **fields)

    def fault(self, command: str, **fields: Any) -> None:
        self.do("fault", command=command, **fields)

    def reset(self) -> None:
        self.do("reset-counters")

    def lines(self) -> list[str]:
        """The commands since the last reset, in order."""
        return [entry["line"] for entry in self.do("log")]

    def commands(self) -> Counter[str]:
        return Counter(self.do("counters")["commands"])

    def volume_names(self) -> list[str]:
        return [volume["name"] for volume in self.do("volumes")]

    def close(self) -> None:
        """Stop all; a delayed command that outlived its test ends first: it writes state."""
        for client in self._clients:
            client.close()
        self.do("clear")
        assert settled(lambda: self.do("counters")["running"]["now"] == 0)
        assert "defects" not in self.do("counters")["events"], "the simulator's own: see its standard error"
        self.simulator.stop()


def settled(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Poll a cheap condition until it holds or the time is up."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def spec(name: str, gib: float = 1, **changes: Any) -> VolumeSpec:
    """A thin basic volume in Pool0."""
    fields: dict[str, Any] = {"pools": ("Pool0",), "provisioning": Provisioning(thin=True)} | changes
    return VolumeSpec(VolumeName(name), Bytes(int(gib * GIB)), **fields)


ACTIVE_ACTIVE: dict[str, Any] = {
    "level": Level.ACTIVE_ACTIVE,
    "pools": ("Pool0", "Pool1"),
    "io_groups": ("0", "1"),
}
MIRROR: dict[str, Any] = {"level": Level.MIRROR, "pools": ("Pool0", "Pool1")}


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []
    with tempfile.TemporaryDirectory() as text:  # a socket's path has a short limit

        def make(**settings: Any) -> Rig:
            directory = Path(text, str(len(rigs)))
            simulator = Simulator(
                Settings(state=directory, control=directory / "control", **settings)
            ).start()
            rigs.append(Rig(simulator, directory))
            return rigs[-1]

        yield make
        for rig in rigs:
            rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def array(rig: Rig) -> As18000:
    return rig.client()
