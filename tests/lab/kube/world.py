"""What one test makes in the cluster, and the patience with which tests wait for it."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest

from tools.kube import api
from tools.kube.container_images import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.kube.cluster import Cluster
    from tools.lab.product import Product
    from tools.lab.san import San

CLASS = "instorage-thin"

KEEP_RUNNING = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"

LIMIT = 300.0  # seconds; usually 10, and 60 where a pod goes as kubelet 1.20 lets it

NUMBERS = itertools.count(1)


def storage_class(name: str, **parameters: str) -> dict[str, Any]:
    """A StorageClass whose claims may grow."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "inspur/instorage",
        "parameters": {"volPoolName": "Pool1", **parameters},
        "allowVolumeExpansion": True,
    }


class World:
    """What one test makes in the cluster: claims, pods, volumes of the array."""

    def __init__(self, cluster: Cluster, products: dict[str, Product], san: San) -> None:
        self.cluster = cluster
        self.products = products
        self.san = san
        self.number = next(NUMBERS)
        self.by_hand: list[str] = []  # volumes of the array that no claim's end removes
        self._made: list[str] = []

    def claim(self, size: str = "1Gi", storage_class: str = CLASS) -> str:
        """Create a claim, wait until it is bound, and return its name."""
        name = f"claim-{self.number}-{next(NUMBERS)}"
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        }
        self._create("v1", "PersistentVolumeClaim", name, spec)
        self.cluster.wait_bound(name)
        return name

    def pod(self, claim: str, node: str, *, read_only: bool = False, **spec: Any) -> str:
        """Create a pod with the claim at /data on machine `node`, and return its name."""
        source = {"persistentVolumeClaim": {"claimName": claim, "readOnly": read_only}}
        return self._pod(node, {"name": "data", **source}, spec)

    def inline_pod(self, volume: str, node: str) -> str:
        """Create a pod that names a volume of the array itself (manual 4.1), and return its name."""
        source = {"driver": "inspur/instorage-flexvolume", "fsType": "ext4"}
        return self._pod(node, {"name": volume, "flexVolume": source}, {})

    def plain_pod(self, node: str) -> str:
        """Create a pod that has no volume of ours at /data, and return its name."""
        return self._pod(node, {"name": "data", "emptyDir": {}}, {})

    def _pod(self, node: str, volume: dict[str, Any], spec: dict[str, Any]) -> str:
        name = f"pod-{self.number}-{next(NUMBERS)}"
        container = {
            "name": "main",
            "image": BUSYBOX,
            "imagePullPolicy": "Never",
            "command": ["sh", "-c", KEEP_RUNNING],
            "volumeMounts": [{"name": volume["name"], "mountPath": "/data"}],
        }
        fields = {
            "terminationGracePeriodSeconds": 2,
            "automountServiceAccountToken": False,
            "hostNetwork": True,  # interfaces of its own took a third of a start, and most of an end (seen)
            "nodeSelector": {"kubernetes.io/hostname": self.products[node].machine.role.hostname},
            "containers": [container],
            "volumes": [volume],
        }
        self._create("v1", "Pod", name, fields | spec)
        return name

    def running(self, claim: str, node: str, **spec: Any) -> str:
        """Create a pod and wait until it runs."""
        began = time.monotonic()
        name = self.pod(claim, node, **spec)
        self.cluster.wait_running(name)
        print(f"{name} runs on {node} after {time.monotonic() - began:.1f} s")
        return name

    def sh(self, pod: str, script: str) -> str:
        """Run a script in the pod."""
        return self.cluster.kubectl("exec", pod, "--", "sh", "-c", script).strip()

    def remove(self, pod: str) -> None:
        """Delete a pod as `kubectl delete` does; its object may stay up to a minute."""
        self.cluster.kubectl("delete", "pod", pod, "--wait=false")

    def mapped(self, claim: str) -> list[str]:
        """The hosts to which the array maps the claim's volume."""
        return self.mapped_volume(self.cluster.wait_bound(claim))

    def mapped_volume(self, volume: str) -> list[str]:
        """The hosts to which the array maps the volume."""
        (found,) = [one for one in self.san.control.do("volumes") if one["name"] == volume]
        return [str(one) for one in found["maps"]]

    def unmapped(self, claim: str) -> None:
        """Wait until the claim's volume is mapped nowhere."""
        until(lambda: not self.mapped(claim), f"the volume of {claim} is mapped nowhere")

    def restarts(self, pod: str) -> int:
        """How often the pod's container was started again."""
        found = self.cluster.api.get(f"{api.PODS}/{pod}") or {}
        return int(found["status"]["containerStatuses"][0]["restartCount"])

    def array_volume(self, name: str) -> str:
        """Make a volume as the array's administrator does; it goes when the tests of the module end."""
        self.san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool1 -iogrp 0")
        self.by_hand.append(name)
        return name

    def delete(self) -> None:
        """Delete what the test made, without a wait: nodes and array follow while the next test begins."""
        pods = [name for name in self._made if name.startswith("pod/")]
        others = [name for name in self._made if not name.startswith("pod/")]
        for names, options in ((pods, ("--force", "--grace-period=0")), (others, ())):
            if names:
                self.cluster.kubectl("delete", *names, *options, "--ignore-not-found", "--wait=false")

    def left(self) -> dict[str, Any]:
        """What there is of any volume, in the cluster, on the nodes, on the array."""
        found: dict[str, Any] = {name: product.residue() for name, product in self.products.items()}
        found["volumes"] = self.san.control.do("volumes")
        for kind, path in (("PVs", api.VOLUMES), ("claims", api.CLAIMS)):
            found[kind] = [one["metadata"]["name"] for one in self.cluster.api.items(path)]
        return {kind: what for kind, what in found.items() if what}

    def create(self, document: dict[str, Any]) -> str:
        """Create an object as it stands, and return its name."""
        name = str(document["metadata"]["name"])
        self._made.append(f"{document['kind'].lower()}/{name}")
        self.cluster.apply([document])
        return name

    def _create(self, version: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        self.create({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})


def until(
    met: Callable[[], Any], what: str | Callable[[], str], seconds: float = LIMIT, poll: float = 0.5
) -> None:
    """Poll until `met`; fail with `what` when the time is up."""
    began = time.monotonic()
    while not met():
        if time.monotonic() > began + seconds:
            pytest.fail(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(poll)
    if isinstance(what, str):
        print(f"{what} after {time.monotonic() - began:.1f} s")
