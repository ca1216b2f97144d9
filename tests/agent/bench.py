"""A node for tests: the agent over real sockets, a simulated array over SSH, a scripted helper."""

from __future__ import annotations

import json
import os
import socket as sockets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import Level
from instorage.arrays.pool import ArrayPool
from nodeagent.__main__ import Agent, build
from nodeagent.host.paths import Paths
from simulator.array import Settings, Simulator
from simulator.face.limits import Limits
from simulator.model.topology import Topology
from tests.agent.adapters import Adapters
from tests.agent.call import Reply, Stub
from tests.agent.helper_peer import HelperPeer
from tests.agent.simulated_array import GIB, SimulatedArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.endpoint import Limits as Patience
    from instorage.configuration.settings import StorageSettings

KUBELET = "/var/lib/kubelet"
NODE = "node1"
ACTIVE_ACTIVE: dict[str, Any] = {
    "level": Level.ACTIVE_ACTIVE,
    "pools": ("Pool0", "Pool1"),
    "io_groups": ("0", "1"),
}
POD = "431a7251-1df7-43a7-b81a-9e1d775a898e"
RECORDED = Path(__file__).resolve().parents[1] / "data/kubelet-1.20-calls.jsonl"


def until(look: Callable[[], Any], seconds: float = 10) -> Any:
    """Poll until `look` is true, fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)
    return found


def compared() -> None:
    """Wait until what an agent compares after its start has ended: it asks the kernel and the arrays, too."""
    until(lambda: not any(one.name == "comparison" for one in threading.enumerate()))


def options(volume: str, access: str = "rw", **more: str) -> str:
    """The options object as kubelet writes it (keys sorted); `more` are the PV's."""
    found = {
        "kubernetes.io/fsType": "ext4",
        "kubernetes.io/pvOrVolumeName": volume,
        "kubernetes.io/readwrite": access,
        "volPoolName": "Pool0",
    } | more
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def device_target(volume: str) -> str:
    return f"{KUBELET}/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/{volume}"


def pod_target(volume: str, pod: str = POD) -> str:
    return f"{KUBELET}/pods/{pod}/volumes/inspur~instorage-flexvolume/{volume}"


@dataclass
class Bench(SimulatedArray, Adapters):
    """Everything that one test needs; `portals` are addresses on which something listens, by node.

    `more`: of a node's further ports.
    """

    directory: Path
    portals: dict[int, str]
    rest: float = 30.0
    look: float = 5.0
    patience: Patience | None = None
    array_kind: type[Simulator] = Simulator
    more: dict[int, tuple[str, ...]] = field(default_factory=dict)
    helper: HelperPeer = field(init=False)
    order: list[str] = field(default_factory=list)
    _agents: list[tuple[Agent, threading.Thread]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("plugin/config", "state", "sys/class/iscsi_connection", "sys/class/iscsi_session"):
            (self.directory / name).mkdir(parents=True)
        self.set_boot("11111111-boot")
        self.simulator = self.array_kind(
            Settings(
                self.directory / "array",
                self.directory / "control.sock",
                topology=Topology(portals=self.portals, more=self.more),
                limits=Limits(burst=0, rate=0),
            )
        ).start()
        self.helper = HelperPeer(self.directory / "helper.sock", self._verb)
        self.helper.capacity, self.helper.mapped = self.size, self.mapped
        self.helper.start()
        self.configure()
        self.array = As18000(
            Endpoint("storage-01", "127.0.0.1", self.port, "superuser", lambda: "passw0rd"),
            self.directory / "known_hosts",
        )

    def close(self) -> None:
        for agent, _ in self._agents:
            agent.server.stop()
        for _, thread in self._agents:
            thread.join(25)
        self.helper.stop()
        self.array.close()
        self.simulator.stop()

    @property
    def port(self) -> int:
        return int(self.simulator.address.rpartition(":")[2])

    @property
    def socket(self) -> Path:
        return self.directory / "agent.sock"

    @property
    def paths(self) -> Paths:
        return Paths(
            plugin=self.directory / "plugin",
            configuration=self.directory / "plugin/config/instorage.yaml",
            state=self.directory / "state",
            helper_socket=str(self.directory / "helper.sock"),
            sysfs=self.directory / "sys",
            boot_id=self.directory / "boot_id",
        )

    def set_boot(self, boot: str) -> None:
        (self.directory / "boot_id").write_text(boot + "\n")

    def configure(self, password: str = "passw0rd", host: str = "", storage: str = "") -> None:
        """Write the configuration file; `host` and `storage` are further lines of YAML."""
        text = (
            f"host:\n  link: {self.link}\n  nodeName: {NODE}\n{host}"
            f"storage:\n- name: storage-01\n  type: AS18000\n  host: 127.0.0.1:{self.port}\n"
            f"  username: superuser\n  password: {password}\n{storage}"
        )
        self.write_configuration(text)

    def write_configuration(self, text: str) -> None:
        path = self.paths.configuration
        fresh = path.with_name(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.rename(path)

    def start(self) -> Agent:
        """Start the agent in this process, on a listening socket as systemd would pass it."""
        listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self.socket.unlink(missing_ok=True)
        listener.bind(str(self.socket))
        listener.listen(64)
        node = build(self.paths, lambda _: None)
        if self.patience is not None:
            node = replace(node, arrays=ArrayPool(self._client))
        agent = Agent(node, [listener], uid=os.getuid(), rest=self.rest, look=self.look)
        thread = threading.Thread(target=agent.run, daemon=True)
        thread.start()
        self._agents.append((agent, thread))
        return agent

    def _client(self, entry: StorageSettings) -> As18000:
        endpoint = Endpoint(entry.name, entry.address, entry.port, entry.username, entry.password.reveal)
        return As18000(endpoint, self.paths.state / "known_hosts", self.patience)

    @property
    def agent(self) -> Agent:
        return self._agents[-1][0]

    def stop(self) -> None:
        agent, thread = self._agents.pop()
        agent.server.stop()
        thread.join(25)
        assert not thread.is_alive()

    def restart(self, between: Callable[[], object] = lambda: None) -> Agent:
        """Stop the agent in good order and start another."""
        self.stop()
        between()
        return self.start()

    def begin_raw(self, data: bytes) -> sockets.socket:
        """Send bytes without an end of input."""
        connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        connection.settimeout(10)
        connection.connect(str(self.socket))
        connection.sendall(data)
        return connection

    def begin(self, *argv: str) -> Stub:
        return Stub(self.socket, argv)

    def call(self, *argv: str) -> Reply:
        return self.begin(*argv).reply()

    def attach(self, volume: str, text: str = "") -> Reply:
        return self.call("waitforattach", NODE, text or options(volume))

    def mount_device(self, volume: str, text: str = "") -> Reply:
        return self.call("mountdevice", device_target(volume), "/dev/ignored", text or options(volume))

    def expandfs(self, volume: str, size: int, *, target: str = "", text: str = "") -> Reply:
        return self.begin_expandfs(volume, size, target=target, text=text).reply(90)

    def begin_expandfs(self, volume: str, size: int, *, target: str = "", text: str = "") -> Stub:
        """Call as kubelet does while a pod runs; `target` is another directory than the pod's."""
        directory = target or pod_target(volume)
        return self.begin("expandfs", text or options(volume), "/dev/x", directory, str(size), str(GIB))

    def use(self, name: str, text: str = "") -> None:
        """Attach the volume and mount it for a pod."""
        self.attach(name, text).success()
        self.mount_device(name, text).success()
        self.call("mount", pod_target(name), text or options(name)).success()

    def reset(self) -> None:
        """Count from now on."""
        self.do("reset-counters")
        self.order.clear()

    def records(self) -> dict[str, dict[str, Any]]:
        """What the agent has written; a record that goes between the listing and the reading is gone."""
        found = {}
        for path in (self.directory / "state/volumes").iterdir():
            with suppress(FileNotFoundError):
                if not path.name.startswith("."):
                    found[path.name] = json.loads(path.read_text())
        return found

    def _verb(self, verb: str) -> None:
        """Note a verb of the helper together with what the array had been asked before it."""
        self.order.append(verb)
