"""A node with two arrays, each behind a front that a test closes: as a process, with its volumes in use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from simulator.array import Settings, Simulator
from simulator.face.limits import Limits
from simulator.model.topology import Topology
from tests.agent.front import Front, Way
from tests.agent.kubelet import Kubelet, text_of
from tests.agent.service import Service
from tests.agent.simulated_array import SimulatedArray

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.bench import Bench

PRELUDE = """
import instorage.arrays.as18000.session.dial as dial
import instorage.arrays.endpoint as endpoint
import nodeagent.calls.detach as detach
import nodeagent.operation.trouble as trouble
import nodeagent.recovery.failures as failures
import nodeagent.recovery.reconciliation as reconciliation
import nodeagent.volume.fencing as fencing
from instorage.arrays.as18000.session import hesitation
pace, directory, connect = {pace}, {directory!r}, dial.Dial.connect
def counted(self, *arguments):
    with open(directory + "/attempts", "a") as noted:
        noted.write(self._endpoint.name + chr(10))
    return connect(self, *arguments)
dial.Dial.connect = counted
if pace != 1:
    limits = vars(endpoint.Limits())
    shorter = dict((key, max(limits[key] * pace, 1.5)) for key in limits)  # a busy machine is slow, too
    kept = {{"channels": 8, "idle": 5.0, "call": max(60 * pace, 6), "spacing": 0.55 * pace}}
    endpoint.Limits.__init__.__defaults__ = tuple((limits | shorter | kept).values())
    detach.SILENT_SECONDS = max(detach.SILENT_SECONDS * pace, 1.5)
    fencing.PAUSE_SECONDS *= pace
    hesitation.LOOK_AGAIN *= pace
    for code in failures.LONGEST:
        failures.LONGEST[code] *= pace
    failures.LONGEST_PAUSE *= pace
    reconciliation.LONGEST_PAUSE *= pace
    trouble.PAUSE_SECONDS *= pace
"""


class Array(SimulatedArray):
    """The second array."""

    def __init__(self, directory: Path, portals: dict[int, str]) -> None:
        self._known = set()
        topology = Topology(name="mcs2", portals=portals)
        settings = Settings(
            directory / "array2", directory / "control2.sock", topology=topology,
            limits=Limits(burst=0, rate=0),
        )  # fmt: skip
        self.simulator = Simulator(settings).start()
        host, _, port = self.simulator.address.rpartition(":")
        login = Endpoint("storage-02", host, int(port), "superuser", lambda: "passw0rd")
        self.array = As18000(login, directory / "known_hosts2")

    def close(self) -> None:
        self.array.close()
        self.simulator.stop()


@dataclass
class DeadArrays:
    """`fronts`, `arrays`: by the name of the array. `pace`: how much shorter every wait is than in life."""

    bench: Bench
    pace: float
    arrays: dict[str, SimulatedArray] = field(init=False)
    fronts: dict[str, Front] = field(init=False)
    uids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bench = self.bench
        self.second = Array(bench.directory, bench.portals)
        self.arrays = {"storage-01": bench, "storage-02": self.second}
        self.fronts = {
            name: Front(("127.0.0.1", int(one.simulator.address.rpartition(":")[2])))
            for name, one in self.arrays.items()
        }
        bench.helper.capacity = lambda uid: self._of(uid).size(uid)
        bench.helper.mapped = lambda uid: self._of(uid).mapped(uid)
        bench.write_configuration(
            "host:\n  link: iscsi\n  nodeName: node1\nstorage:\n" + "".join(map(self._entry, self.fronts))
        )
        self.service = Service(bench, PRELUDE.format(pace=self.pace, directory=str(bench.directory)))
        self.kubelet = Kubelet(bench.socket, self.pace)

    def _entry(self, name: str) -> str:
        address = f"127.0.0.1:{self.fronts[name].port}"
        login = "  username: superuser\n  password: passw0rd\n"
        return f"- name: {name}\n  type: AS18000\n  host: {address}\n{login}"

    def _of(self, uid: str) -> SimulatedArray:
        return self.second if uid in self.second_uids else self.bench

    @property
    def second_uids(self) -> set[str]:
        return {uid for name, uid in self.uids.items() if self.storage(name) == "storage-02"}

    @staticmethod
    def storage(volume: str) -> str:
        """The array of a volume, which its name says."""
        return f"storage-0{1 + (volume[-1] == 'b')}"

    def text(self, volume: str) -> str:
        return text_of(volume, self.storage(volume))

    def create(self, names: list[str]) -> None:
        for name in names:
            self.uids[name] = self.arrays[self.storage(name)].create(name)

    def use(self, names: list[str]) -> None:
        """Have pods use the volumes."""
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda name: self.kubelet.start_pod(name, self.text(name)), names))

    def maps(self, volume: str) -> list[str]:
        return self.arrays[self.storage(volume)].maps(volume)

    def die(self) -> None:
        for front, way in zip(self.fronts.values(), (Way.REFUSES, Way.SWALLOWS), strict=True):
            front.become(way)

    def come_back(self) -> None:
        for front in self.fronts.values():
            front.become(Way.OPEN)

    def close(self) -> None:
        self.kubelet.stop()
        self.service.close()
        for front in self.fronts.values():
            front.stop()
        self.second.close()
        self.bench.close()
