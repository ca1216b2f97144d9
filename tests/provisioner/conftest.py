"""A real control plane, simulated arrays over SSH, and the provisioner as a process with its own rights."""

from __future__ import annotations

import base64
import contextlib
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest
import yaml

from provisioner.cluster import CLASSES, LEASES, VOLUMES, Cluster, Object
from simulator.array import Settings, Simulator
from tools.kube.control_plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "instorage-provisioner"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
NUMBERS = itertools.count(1)
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings",
    "StorageClass": CLASSES,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that wants the control plane is of the marker kube, whoever writes it."""
    for item in items:
        if "plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kube)


def until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """Poll until the condition gives something; fail with `what` when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """The control plane, with more API calls a second for kcm: it binds 100 claims at once here."""
    with ControlPlane(requests=400) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> Cluster:
    """The cluster as its administrator sees it, with the provisioner's role in place."""
    cluster = Cluster(plane.kubeconfig("admin"))
    for document in yaml.safe_load_all((ROOT / "deploy/provisioner-rbac.yaml").read_text()):
        cluster.create(PATHS[document["kind"]], document)
    return cluster


def may_renew(api: Cluster, lease: str) -> None:
    """Give the account the shipped Role's rights on this lease: each test's provisioner has its own."""
    documents = list(yaml.safe_load_all((ROOT / "deploy/provisioner-rbac.yaml").read_text()))
    role, binding = (next(d for d in documents if d["kind"] == kind) for kind in ("Role", "RoleBinding"))
    for rule in role["rules"]:
        if "resourceNames" in rule:
            rule["resourceNames"] = [lease]
    binding["roleRef"]["name"] = lease
    for document in (role, binding):
        document["metadata"]["name"] = lease
        api.create(PATHS[document["kind"]], document)


@pytest.fixture(scope="session")
def kubeconfig(plane: ControlPlane, api: Cluster) -> Path:
    """The kubeconfig of the provisioner's service account: its token, and so its rights alone."""

    return plane.kubeconfig(ACCOUNT, until(lambda: token_of(api), what="the service account's token"))


def asked(plane: ControlPlane) -> list[dict[str, Any]]:
    """What the provisioner's account asked the API server for until now, as audit events."""
    user = f"system:serviceaccount:kube-system:{ACCOUNT}"
    return [event for event in plane.audited() if event["user"]["username"] == user]


def token_secrets(api: Cluster) -> list[Object]:
    """The secrets that hold a token of the provisioner's account."""
    found, _ = api.objects("/api/v1/namespaces/kube-system/secrets")
    note = "kubernetes.io/service-account.name"
    return [
        secret
        for secret in found
        if (secret["metadata"].get("annotations") or {}).get(note) == ACCOUNT and "token" in secret["data"]
    ]


def token_of(api: Cluster) -> str:
    """The account's token, "" while there is none."""
    found = token_secrets(api)
    return base64.b64decode(found[0]["data"]["token"]).decode() if found else ""


class Program:
    """One provisioner process and its log."""

    def __init__(self, argv: list[str], state: Path, log: Path, notify: Path | None = None) -> None:
        self._log = log
        self.state = state
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "STATE_DIRECTORY": str(state), "LANG": "C.UTF-8"}
                | ({"NOTIFY_SOCKET": str(notify)} if notify else {}),
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def says(self, text: str, seconds: float = 20.0) -> None:
        until(lambda: text in self.log or not self.running, seconds, text)
        assert text in self.log

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def stop(self, seconds: float = 90.0) -> int:
        """End it as systemd does; return the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)


class World:
    """One test's arrays, StorageClasses and provisioners, apart from those of other tests by name."""

    def __init__(self, api: Cluster, kubeconfig: Path, directory: Path) -> None:
        self.api = api
        self.number = next(NUMBERS)
        self.provisioner = f"inspur/instorage-{self.number}"
        self.arrays: dict[str, Simulator] = {}
        self.programs: list[Program] = []
        self._kubeconfig = kubeconfig
        self.directory = directory
        self.configuration = directory / "instorage.yaml"

    @property
    def lease(self) -> str:
        """Where the API server keeps the lease of these provisioners."""
        return f"{LEASES.format('kube-system')}/{self.provisioner.replace('/', '-')}"

    def array(self, name: str = "storage-01", **settings: Any) -> Simulator:
        """Start a simulated array; the configuration names it from then on."""
        folder = self.directory / name
        simulator = Simulator(Settings(state=folder, control=folder / "control", **settings)).start()
        self.arrays[name] = simulator
        self.configure({name: simulator.address for name, simulator in self.arrays.items()})
        return simulator

    def configure(self, addresses: dict[str, str]) -> None:
        entries = [
            {
                "name": name,
                "type": "AS18000",
                "host": address,
                "username": "superuser",
                "password": "passw0rd",
            }
            for name, address in addresses.items()
        ]
        self.configuration.write_text(yaml.safe_dump({"storage": entries}))
        self.configuration.chmod(0o600)

    def start(self, *flags: str, state: str = "state", notify: Path | None = None) -> Program:
        """Start a provisioner; its own state directory for each `state`."""
        argv = [
            sys.executable, "-m", "provisioner", "-kubeconfig", str(self._kubeconfig),
            "-strconfig", str(self.configuration), "-provisioner-name", self.provisioner, "-v=1", *flags,
        ]  # fmt: skip
        log = self.directory / f"log-{len(self.programs)}"
        self.programs.append(Program(argv, self.directory / state, log, notify))
        return self.programs[-1]

    def storage_class(self, parameters: dict[str, str] | None = None, **fields: Any) -> str:
        """Create a StorageClass of this test's provisioner (thin in Pool0) and return its name."""
        name = f"class-{self.number}-{next(NUMBERS)}"
        body = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": self.provisioner,
            "parameters": {"volPoolName": "Pool0", "volThin": "true"} if parameters is None else parameters,
        }
        self.api.create(CLASSES, body | fields)
        return name

    def claim(self, class_name: str, size: str = "1Gi", **spec: Any) -> str:
        """Create a claim and return its name."""
        name = f"claim-{self.number}-{next(NUMBERS)}"
        fields: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class_name,
            "resources": {"requests": {"storage": size}},
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}}
        self.api.create(CLAIMS, body | {"spec": fields | spec})
        return name

    def get_claim(self, name: str) -> Object:
        found = self.api.get(f"{CLAIMS}/{name}")
        assert found is not None, f"claim {name} is gone"
        return found

    def delete_claim(self, name: str) -> None:
        self.api.delete(f"{CLAIMS}/{name}", self.get_claim(name)["metadata"]["uid"])

    def bound(self, name: str, seconds: float = 20.0) -> Object:
        """Wait until a claim is bound; return its PV."""
        until(
            lambda: (self.get_claim(name).get("status") or {}).get("phase") == "Bound", seconds,
            f"claim {name} is bound; {self.said(name)}",
        )  # fmt: skip
        volume = self.volume(self.get_claim(name)["spec"]["volumeName"])
        assert volume is not None
        return volume

    def volume(self, name: str) -> Object | None:
        return self.api.get(f"{VOLUMES}/{name}")

    def events(self, name: str) -> list[Object]:
        """The events on the object of that name, but kcm's, which may meet a claim before its class."""
        found, _ = self.api.objects("/api/v1/namespaces/default/events")
        ours = [event for event in found if event["source"].get("component") != "persistentvolume-controller"]
        return [event for event in ours if event["involvedObject"]["name"] == name]

    def said(self, name: str) -> str:
        """What events say of the object of that name, as kubectl would show it."""
        return "\n".join(f"{e['type']} {e['reason']} {e['message']}" for e in self.events(name))

    def says(self, name: str, text: str, seconds: float = 20.0) -> None:
        """Wait for an event on `name` with that text."""
        deadline = time.monotonic() + seconds
        while text not in (said := self.said(name)):
            assert time.monotonic() < deadline, f"no event with {text!r}, but:\n{said}"
            time.sleep(0.1)

    def names(self, array: str = "storage-01") -> list[str]:
        """The volumes on an array."""
        return sorted(volume["name"] for volume in self.do("volumes", array))

    def do(self, verb: str, array: str = "storage-01", **fields: Any) -> Any:
        return self.arrays[array].control.do(verb, **fields)

    def commands(self, array: str = "storage-01") -> list[str]:
        """The commands that an array was given, in order."""
        return [entry["line"] for entry in self.do("log", array)]

    def run(self, line: str, array: str = "storage-01") -> str:
        """Give an array a command, as an administrator would."""
        host, _, port = self.arrays[array].address.rpartition(":")
        with paramiko.Transport((host, int(port))) as transport:
            transport.connect(username="superuser", password="passw0rd")
            channel = transport.open_session()
            channel.exec_command(line)
            said = b"".join(iter(lambda: channel.recv(65536), b""))
            assert channel.recv_exit_status() == 0, channel.recv_stderr(65536)
        return said.decode()

    def claim_path(self, name: str) -> str:
        return f"{CLAIMS}/{name}"

    def close(self) -> None:
        for program in self.programs:
            if program.running:
                program.kill()
        for simulator in self.arrays.values():
            with contextlib.suppress(OSError):
                simulator.control.do("clear")
            simulator.stop()


@pytest.fixture
def world(api: Cluster, kubeconfig: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world without arrays and provisioners; the provisioners' logs are shown when the test fails."""
    with tempfile.TemporaryDirectory() as directory:  # a control socket's path has a short limit
        world = World(api, kubeconfig, Path(directory))
        may_renew(api, world.lease.rpartition("/")[2])
        yield world
        world.close()
        for program in world.programs:
            print(f"--- provisioner {program.pid}\n{program.log[-6000:]}")


@pytest.fixture
def served(world: World) -> World:
    """A world with an array and a provisioner that works."""
    world.array()
    world.start().says("Array storage-01 has 0 volume(s)")
    return world
