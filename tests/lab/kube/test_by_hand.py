"""Volumes made by hand on the array, without the provisioner (manual 4.1 and 4.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.lab.kube.world import KEEP_RUNNING, until
from tests.soak import IN_SOAK, in_turn
from tools.kube import api
from tools.kube.container_images import BUSYBOX

if TYPE_CHECKING:
    from tests.lab.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
DEPLOY = Path(__file__).parents[3] / "deploy"


def deployment(volume: str, replicas: int) -> dict[str, Any]:
    """The manual's Deployment (4.1) with today's API version, on one node."""
    container = {
        "name": "nginx",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", KEEP_RUNNING],
        "volumeMounts": [{"name": volume, "mountPath": "/mnt"}],
    }
    source = {"driver": "inspur/instorage-flexvolume", "fsType": "ext4"}
    pod = {
        "terminationGracePeriodSeconds": 2,
        "hostNetwork": True,
        "nodeSelector": {"kubernetes.io/hostname": "nodea"},
        "containers": [container],
        "volumes": [{"name": volume, "flexVolume": source}],
    }
    labels = {"app": "nginx-02"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "deploy-nginx-02", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"name": "nginx-02", "labels": labels}, "spec": pod},
        },
    }


def by_hand(volume: str, mode: str, options: dict[str, str]) -> list[dict[str, Any]]:
    """A PV over a volume of the array, and its claim, as deploy/pv-many-readers.yaml has them."""
    persistent, claim, _ = yaml.safe_load_all((DEPLOY / "pv-many-readers.yaml").read_text())
    size = {"storage": "1Gi"}
    persistent["metadata"]["name"] = claim["metadata"]["name"] = claim["spec"]["volumeName"] = volume
    persistent["spec"] |= {"capacity": size, "accessModes": [mode]}
    persistent["spec"]["flexVolume"]["options"] = {"storageName": "storage-01", **options}
    claim["spec"] |= {"accessModes": [mode], "resources": {"requests": size}}
    return [persistent, claim]


@in_turn(0, 2)
def test_the_manuals_deployment_of_two_replicas_shares_a_volume_of_the_array_on_one_node(
    world: World,
) -> None:
    volume = world.array_volume("instorage-120-test04")
    name = world.create(deployment(volume, 2))
    until(lambda: len(world.cluster.pods("app=nginx-02")) == 2, "two pods")
    first, second = world.cluster.pods("app=nginx-02")
    for pod in (first, second):
        world.cluster.wait_running(pod)
    world.sh(first, "echo shared >/mnt/row; sync")
    assert world.sh(second, "cat /mnt/row") == "shared"
    assert len(world.mapped_volume(volume)) == 1
    mounts = world.products["a"].machine.run("mount | grep flex").stdout
    assert (
        f"/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/{volume} type ext4" in mounts
    )
    world.cluster.kubectl("delete", "deployment", name)
    until(lambda: not world.mapped_volume(volume), "the volume is mapped nowhere")


@IN_SOAK
def test_a_pv_by_hand_keeps_its_volume_and_is_then_read_by_two_nodes_at_once(world: World) -> None:
    volume = world.array_volume("reference-data")
    documents = by_hand(volume, "ReadWriteOnce", {})
    for document in documents:
        world.create(document)
    writer = world.running(volume, "a")
    world.sh(writer, "echo reference >/data/row; sync")
    world.remove(writer)
    until(lambda: not world.mapped_volume(volume), "the volume is mapped nowhere")
    world.cluster.kubectl("delete", "pvc", volume)
    until(lambda: _phase(world, volume) == "Released", "the PV is kept, reclaim policy Retain")
    world.cluster.kubectl("delete", "pv", volume)
    assert world.san.control.do("volumes"), "the volume stays on the array"

    for document in by_hand(volume, "ReadOnlyMany", {"readers": "many"}):
        world.create(document)
    readers = [world.pod(volume, node, read_only=True) for node in ("a", "b")]
    for reader in readers:
        world.cluster.wait_running(reader)
        assert world.sh(reader, "cat /data/row") == "reference"
        assert "read-only" in world.sh(reader, "touch /data/row 2>&1 || true").lower()
    assert len(world.mapped_volume(volume)) == 2


def _phase(world: World, volume: str) -> str:
    return api.phase(world.cluster.api.get(f"{api.VOLUMES}/{volume}"))
