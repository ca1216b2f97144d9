"""deploy/stub-daemonset.yaml on real kubelets: a pod brings the stub to a node, and other pods use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.kube.world import until
from tests.soak import IN_SOAK
from tools.install import PLUGIN, STUB
from tools.kube import api
from tools.kube.container_images import BUSYBOX, PAUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
MANIFEST = Path(__file__).parents[3] / "deploy/stub-daemonset.yaml"
PLACE = f"/{PLUGIN}/{STUB.name}"


@pytest.fixture
def node_b_by_its_daemonset(world: World) -> Iterator[None]:
    """Node b has the stub from the DaemonSet alone."""
    node, kubectl = world.products["b"].machine, world.cluster.kubectl
    node.run(f"rm {PLACE}")
    kubectl("-n", "kube-system", "create", "configmap", "instorage-stub", f"--from-file={STUB}")
    daemonset = yaml.safe_load(MANIFEST.read_text())
    pod = daemonset["spec"]["template"]["spec"]
    for container, image in ((pod["initContainers"][0], BUSYBOX), (pod["containers"][0], PAUSE)):
        container |= {"image": image, "imagePullPolicy": "Never"}
    try:
        world.cluster.apply([daemonset])
        until(lambda: node.run(f"test -x {PLACE}", check=False).exit_status == 0, "the stub is on the node")
        assert node.read(PLACE) == STUB.read_bytes()
        yield
    finally:
        kubectl("-n", "kube-system", "delete", "daemonset,configmap", "instorage-stub")
        node.put(PLACE, STUB.read_bytes(), 0o755)


@IN_SOAK
def test_by_the_daemonsets_stub_two_pods_of_a_node_share_a_claim_as_their_group_and_the_last_takes_it_down(
    world: World, node_b_by_its_daemonset: None
) -> None:
    claim = world.claim()
    user = {"fsGroup": 2000, "runAsUser": 1000, "runAsGroup": 1000}
    first, second = (world.running(claim, "b", securityContext=user) for _ in range(2))
    world.sh(first, "echo from the first >/data/row; sync")
    assert world.sh(first, "stat -c %g /data/row") == "2000"
    assert world.sh(second, "cat /data/row") == "from the first"
    world.remove(first)
    world.cluster.wait_gone(f"{api.PODS}/{first}")
    world.sh(second, "echo from the second >>/data/row; sync")
    assert len(world.mapped(claim)) == 1
    world.remove(second)
    world.unmapped(claim)
