"""One test's arrays, StorageClasses, claims and provisioners in the cluster that all tests share."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from typing import TYPE_CHECKING, Any

import paramiko
import yaml

from provisioner.cluster import CLASSES, VOLUMES, Cluster, Object
from provisioner.lease import leases
from simulator.array import Settings, Simulator
from simulator.model.topology import Topology
from tests.provisioner.program import Program, until

if TYPE_CHECKING:
    from pathlib import Path

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"

NUMBERS = itertools.count(1)


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
        return f"{leases('kube-system')}/{self.provisioner.replace('/', '-')}"

    def array(self, name: str = "storage-01", **settings: Any) -> Simulator:
        """Start a simulated array; the configuration names it from then on."""
        folder = self.directory / name
        settings.setdefault("topology", Topology(name=f"mcs{len(self.arrays) + 1}"))  # no UID twice
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

    def claim(self, class_name: str, size: str = "1Gi", *, name: str = "", **spec: Any) -> str:
        """Create a claim, of a new name when none is given, and return its name."""
        name = name or f"claim-{self.number}-{next(NUMBERS)}"
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
