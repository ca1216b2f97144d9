"""kube-controller-manager whose container has no plugin directory (kubeadm from 1.36 on), or has one.

Its image has no shell since 1.19. Its root here holds one program and its keys, so the stub runs as there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import VOLUMES, Cluster
from tests.provisioner.program import takes_pods, until
from tools.install import PLUGIN, STUB
from tools.kube.control_plane import ControlPlane
from tools.lab.product import build_stub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cluster import Object

pytestmark = [pytest.mark.kube, pytest.mark.subprocess, pytest.mark.timeout(300)]
NAMESPACE = "/api/v1/namespaces/default"
OURS, OTHERS = "inspur/instorage-flexvolume/pvc-1", "kubernetes.io/iscsi/"


@pytest.fixture(scope="module")
def mine() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module")
def api(mine: ControlPlane) -> Cluster:
    """A node that nobody runs, and a claim bound to a PV of ours."""
    api = Cluster(mine.kubeconfig("admin"))
    note = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    api.create("/api/v1/nodes", made("Node", "node1", annotations=note))
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    reference = {"namespace": "default", "name": "data"}
    flex = {"driver": "inspur/instorage-flexvolume", "options": {"storageName": "storage-01"}}
    api.create(
        VOLUMES,
        made("PersistentVolume", "pvc-1") | {"spec": spec | {"flexVolume": flex, "claimRef": reference}},
    )
    wants = {"accessModes": ["ReadWriteOnce"], "volumeName": "pvc-1", "storageClassName": ""}
    resources = {"resources": {"requests": {"storage": "1Gi"}}}
    api.create(
        f"{NAMESPACE}/persistentvolumeclaims",
        made("PersistentVolumeClaim", "data") | {"spec": wants | resources},
    )
    claim = f"{NAMESPACE}/persistentvolumeclaims/data"
    until(lambda: (api.get(claim) or {})["status"]["phase"] == "Bound", 40, "the claim is bound")
    takes_pods(api, "default")
    return api


def made(kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name} | metadata}


def pod(api: Cluster, name: str) -> None:
    """A pod on the node with our volume, and one of a kind that is attached without a driver."""
    iscsi = {"targetPortal": "192.0.2.1", "iqn": f"iqn.2020-01.org.example:{name}", "lun": 0}
    volumes = [
        {"name": "ours", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "other", "iscsi": iscsi},
    ]
    containers = [{"name": "c", "image": "none"}]
    spec = {"nodeName": "node1", "containers": containers, "volumes": volumes}
    api.create(
        f"{NAMESPACE}/pods", made("Pod", name) | {"spec": spec | {"automountServiceAccountToken": False}}
    )


def attached(api: Cluster) -> str:
    """What kubelet waits for, before it asks the driver for anything."""
    found = (api.get("/api/v1/nodes/node1") or {}).get("status") or {}
    return " ".join(volume["name"] for volume in found.get("volumesAttached") or [])


def give_driver(plane: ControlPlane, setting: str = "true\n") -> None:
    build_stub()
    driver = plane.plugins / Path(PLUGIN).name
    driver.mkdir(exist_ok=True)
    shutil.copy(STUB, driver)
    (driver / ".attach").write_text(setting)


def again(plane: ControlPlane) -> None:
    plane.end("kube-controller-manager")
    plane.start_manager()


def test_without_the_directory_it_attaches_nothing_of_ours_and_with_it_it_does(
    mine: ControlPlane, api: Cluster
) -> None:
    give_driver(mine)
    mine.mounted = False
    again(mine)
    pod(api, "first")
    until(lambda: OTHERS in attached(api), 60, "what has no driver is attached")
    assert OURS not in attached(api), "kubelet would wait for it for ever"
    mine.mounted = True
    again(mine)
    what = "with the directory it is attached: by a stub without shell or library"
    until(lambda: OURS in attached(api), 60, what)
    mine.mounted = False
    again(mine)
    until(lambda: OURS not in attached(api), 60, "what was attached is said to be no longer")
    failed = "DetachVolume.FindAttachablePluginByName failed"
    until(lambda: failed in mine.log("kube-controller-manager"), 60, "nobody is asked for the detach")


def test_a_driver_that_says_attach_false_there_too_is_asked_for_nothing(
    mine: ControlPlane, api: Cluster
) -> None:
    give_driver(mine, "false\n")
    mine.mounted = True
    again(mine)
    pod(api, "second")
    until(lambda: "example:second" in attached(api), 60, "the other volume is attached")
    assert OURS not in attached(api)
