"""The provisioner's parts over arrays that are simulated behind real SSH, and over an API server in memory.

For decisions alone: what the true API server and kube-controller-manager do is tried with them (marker kube).
"""

from __future__ import annotations

import copy
import itertools
import uuid
from typing import TYPE_CHECKING, Any, cast

import yaml

from instorage.tenancy.signature import SigningKey
from provisioner.arrays import Arrays
from provisioner.begun import Undertakings
from provisioner.census import Registrar
from provisioner.claims import wanted
from provisioner.cluster import CLAIMS, VOLUMES, Refusal
from provisioner.creation import Creation
from provisioner.deletion import Deletion
from provisioner.doubles import Doubles
from provisioner.persistent_volume import Names
from provisioner.rollback import Rollback
from provisioner.wanting import Wanting
from provisioner.whereabouts import Whereabouts
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.cluster import Cluster, Object
    from provisioner.events import Event, Events

NUMBERS = itertools.count(1)


class Memory:
    """Objects by path; gives UIDs as the API server does, and notes what is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, Object] = {}
        self.refused: set[str] = set()

    def get(self, path: str) -> Object | None:
        return copy.deepcopy(self.kept.get(path))

    def objects(self, path: str) -> tuple[list[Object], str]:
        if path == CLAIMS:
            return [copy.deepcopy(found) for key, found in self.kept.items() if "/namespaces/" in key], "1"
        return [copy.deepcopy(found) for key, found in self.kept.items() if key.startswith(path)], "1"

    def pages(self, path: str) -> Iterator[tuple[list[Object], str]]:
        yield self.objects(path)

    def create(self, path: str, body: Object) -> Object:
        key = f"{path}/{body['metadata']['name']}"
        if key in self.kept:
            raise Refusal(409, f"{key} is there")
        made = copy.deepcopy(body)
        made["metadata"] |= {"uid": str(uuid.UUID(int=next(NUMBERS))), "resourceVersion": "1"}
        self.kept[key] = made
        return copy.deepcopy(made)

    def patch(self, path: str, body: Object) -> Object:
        metadata = self.kept[path]["metadata"]
        changed = dict(body["metadata"])
        metadata["annotations"] = (metadata.get("annotations") or {}) | changed.pop("annotations", {})
        metadata |= changed
        return copy.deepcopy(self.kept[path])

    def delete(self, path: str, uid: str) -> None:
        if (self.kept.get(path) or {"metadata": {"uid": ""}})["metadata"]["uid"] == uid:
            del self.kept[path]


class Bench:
    """Two arrays, storage-01 and storage-02; the order in the configuration is that of `order`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.memory = Memory()
        self.said: list[Event] = []
        self.arrays: dict[str, Simulator] = {}
        for name in ("storage-01", "storage-02"):
            folder = directory / name
            self.arrays[name] = Simulator(Settings(state=folder, control=folder / "control")).start()
        self.key = SigningKey.load(directory / "key")
        self._clients: list[Arrays] = []
        self.begin("storage-01", "storage-02")

    def begin(self, *order: str, gone: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> None:
        """Start the parts anew, as after a kill; arrays in `gone` have an address where nothing listens."""
        entries = [
            {
                "name": name, "type": "AS18000", "username": "superuser", "password": "passw0rd",
                "host": "127.0.0.1:1" if name in gone else self.arrays[name].address,
            }
            for name in order
        ]  # fmt: skip
        path = self.directory / "instorage.yaml"
        host = {"host": {"link": "iscsi", "volumeKey": list(keys)}} if keys else {}
        path.write_text(yaml.safe_dump(host | {"storage": entries}))
        path.chmod(0o600)
        clients = Arrays(path, self.directory / "known_hosts")
        self._clients.append(clients)
        cluster, events, names = cast("Cluster", self.memory), cast("Events", self), Names()
        wanting = Wanting(Registrar(cluster), clients, events, self.key.public_line)
        self.undertakings = Undertakings(clients, Whereabouts(clients))
        rollback = Rollback(cluster, clients, events, wanting)
        doubles = Doubles(cluster, clients, events, wanting)
        self.creation = Creation(
            cluster, clients, events, names, self.key, self.undertakings, rollback, doubles
        )
        self.deletion = Deletion(cluster, clients, events, names, wanting)
        self.client = clients

    def say(self, event: Event) -> None:
        self.said.append(event)

    @property
    def text(self) -> str:
        return "\n".join(f"{event.kind} {event.reason}: {event.message}" for event in self.said)

    def names(self, array: str = "storage-01") -> list[str]:
        return sorted(volume["name"] for volume in self.arrays[array].control.do("volumes"))

    def fault(self, array: str = "storage-01", **fields: Any) -> None:
        self.arrays[array].control.do("fault", **fields)

    def make(self, name: str, array: str = "storage-01", *, size: int = 1) -> None:
        """Have an administrator make a thick volume."""
        operate = cast("Any", self.client.get(array))._cli.operate
        operate(
            "mkvdisk",
            "-name",
            name,
            "-size",
            str(size),
            "-unit",
            "gb",
            "-mdiskgrp",
            "Pool0",
            "-intier",
            "off",
        )

    def claim(self, name: str = "data", namespace: str = "default", **spec: Any) -> Object:
        fields = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}} | spec
        body = {"metadata": {"name": name, "namespace": namespace}, "spec": fields}
        return self.memory.create(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", body)

    def drop(self, claim: Object) -> None:
        metadata = claim["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims/{metadata['name']}"
        self.memory.delete(path, metadata["uid"])

    def wanted(self, claim: Object, policy: str = "Delete", **parameters: str) -> Any:
        kind = {"volPoolName": "Pool0", "volThin": "true"} | parameters
        return wanted(claim, {"metadata": {"name": "thin"}, "parameters": kind, "reclaimPolicy": policy})

    def provision(self, claim: Object, policy: str = "Delete", **parameters: str) -> Object:
        """Make volume and PV of a claim; return the PV."""
        self.creation.run(self.wanted(claim, policy, **parameters))
        return self.volume(f"pvc-{claim['metadata']['uid']}")

    def volume(self, name: str) -> Object:
        return self.memory.kept[f"{VOLUMES}/{name}"]

    def released(self, claim: Object) -> Object:
        """Give a claim its PV, then delete the claim: what kube-controller-manager makes of the PV."""
        volume = self.provision(claim)
        self.drop(claim)
        volume["status"] = {"phase": "Released"}
        return volume

    def restored(self, volume: Object) -> Object:
        """Delete a PV and make it anew from its copy, as kubectl does with a backup."""
        path = f"{VOLUMES}/{volume['metadata']['name']}"
        kept = copy.deepcopy(volume)
        del self.memory.kept[path]
        self.memory.create(VOLUMES, kept)
        self.volume(volume["metadata"]["name"])["status"] = {"phase": "Released"}
        return self.volume(volume["metadata"]["name"])

    def close(self) -> None:
        for clients in self._clients:
            clients.close()
        for simulator in self.arrays.values():
            simulator.stop()
