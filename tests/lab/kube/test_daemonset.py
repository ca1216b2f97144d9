"""deploy/stub-daemonset.yaml on real kubelets: the stub comes to a node as a pod brings it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.kube.conftest import until
from tools.install import PLUGIN, STUB
from tools.kube.container_images import BUSYBOX, PAUSE

if TYPE_CHECKING:
    from tests.lab.kube.conftest import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
MANIFEST = Path(__file__).parents[3] / "deploy/stub-daemonset.yaml"
PLACE = f"/{PLUGIN}/{STUB.name}"


def test_the_daemonset_brings_the_stub_to_a_node_and_pods_use_it(world: World) -> None:
    node = world.products["b"].machine
    node.run(f"rm {PLACE}")
    kubectl = world.cluster.kubectl
    kubectl("-n", "kube-system", "create", "configmap", "instorage-stub", f"--from-file={STUB}")
    daemonset = yaml.safe_load(MANIFEST.read_text())
    pod = daemonset["spec"]["template"]["spec"]
    for container, image in ((pod["initContainers"][0], BUSYBOX), (pod["containers"][0], PAUSE)):
        container |= {"image": image, "imagePullPolicy": "Never"}
    try:
        world.cluster.apply([daemonset])
        until(lambda: node.run(f"test -x {PLACE}", check=False).exit_status == 0, "the stub is on the node")
        assert node.read(PLACE) == STUB.read_bytes()
        world.running(world.claim(), "b")
    finally:
        kubectl("-n", "kube-system", "delete", "daemonset,configmap", "instorage-stub")
        world.products["b"].machine.put(PLACE, STUB.read_bytes(), 0o755)
