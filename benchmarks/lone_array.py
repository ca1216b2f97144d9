"""A simulated array in a process of its own, without data plane, that many nodes know already."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint, Limits
from simulator.array import Settings, Simulator
from simulator.control.client import Control
from simulator.model.context import Change
from simulator.model.records import Copy, Host, HostMap, Port, Vdisk

if TYPE_CHECKING:
    from types import TracebackType

    from simulator.model.context import Context

PASSWORD = "passw0rd"  # the simulator's own
READY = 60.0  # seconds
GIB = 1 << 30
FIRST = 10_000  # of the ids that are put into the state


def initiator(node: int) -> str:
    """Return a node's IQN."""
    return f"iqn.1993-08.org.debian:01:n{node}"


def host(node: int) -> str:
    """Return a node's host object."""
    return f"iscsi-n{node}"


def volume(node: int, number: int) -> str:
    """Return a volume of a node's."""
    return f"pvc-{node}-{number}"


class LoneArray:
    """The simulator as a program; `fails_over` breaks every connection and refuses new ones for a while.

    It has an address of its own: who connects to a port of 127.0.0.1 where nobody listens may be given that
    very port to connect from, and then has it.
    """

    def __init__(self, delay: float) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.directory = Path(self._directory.name)
        self._delay = delay
        self._process: subprocess.Popen[str] | None = None
        self._listen = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}:0"
        self.away = 0.0
        self.counted: list[dict[str, Any]] = []
        """What each life of the program counted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._directory.cleanup()

    def settle(self, nodes: int, volumes: int) -> None:
        """Put so many host objects and mapped volumes of each into its state, as before a reboot of all."""
        simulator = Simulator(Settings(state=self._state, control=self._control))
        simulator.engine.change(lambda context: _settled(context, nodes, volumes))

    def start(self) -> None:
        """Start the program, where it listened before."""
        options = ("--state", str(self._state), "--control", str(self._control), "--listen", self._listen)
        argv = [sys.executable, "-m", "simulator", *options]
        with (self.directory / "log").open("a") as log:
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulator did not start: {(self.directory / 'log').read_text()[-2000:]}")
        self._listen = json.loads(line)["listen"][0]
        with Control(self._control) as control:
            control.do("fault", command="*", times=0, delay=self._delay)

    def stop(self) -> None:
        """End the program; its connections break."""
        if self._process is None:
            return
        self.counted.append(self.counters())
        self._process.terminate()
        self._process.wait(READY)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def fails_over(self, seconds: float) -> None:
        """Be away for so long, and until the program has started anew."""
        began = time.monotonic()
        self.stop()
        time.sleep(seconds)  # what is simulated
        self.start()
        self.away = time.monotonic() - began

    def counters(self) -> dict[str, Any]:
        """Return what this life of the program has counted."""
        with Control(self._control) as control:
            found: dict[str, Any] = control.do("counters")
        return found

    def client(self, node: int) -> As18000:
        """Return a client as a node's agent has it."""
        address, _, port = self._listen.rpartition(":")
        endpoint = Endpoint("storage-01", address, int(port), "superuser", lambda: PASSWORD)
        return As18000(endpoint, self.directory / f"known_hosts-{node}", Limits())

    @property
    def _state(self) -> Path:
        return self.directory / "state"

    @property
    def _control(self) -> Path:
        return self.directory / "control"


def _settled(context: Context, nodes: int, volumes: int) -> Change:
    hosts = {
        node: Host(node, host(node), (Port("iscsi", initiator(node)),), next_lun=volumes)
        for node in range(nodes)
    }
    vdisks = {}
    maps = []
    for node, number in itertools.product(range(nodes), range(volumes)):
        key = FIRST + node * volumes + number
        copies = (Copy(0, 0, rsize=0, autoexpand=True),)
        vdisks[key] = Vdisk(key, volume(node, number), GIB, 0, f"6005076{key:025X}", copies, key, access=(0,))
        maps.append(HostMap(node, key, number))
    return Change(replace(context.state, hosts=hosts, vdisks=vdisks, hostmaps=tuple(maps)))
