"""A node that is gone for good, with a pod's volume mapped to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.conftest import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.kube.conftest import World
    from tools.kube.cluster import Cluster
    from tools.lab import Lab
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]


@pytest.fixture
def node_b_dies(cluster: Cluster, lab: Lab, products: dict[str, Product], san: San) -> Iterator[None]:
    """A fresh machine takes its place in the end, which has no volume even if the test failed."""
    yield
    for volume in san.control.do("volumes"):
        if "nodeb" in str(volume["maps"]):
            release = f"instoragectl release {volume['name']} --from nodeb --although-logged-in"
            products["a"].machine.run(release, 120)
    lab.node("b").reload()
    products["b"].install()
    products["b"].machine.run("systemctl enable -q instorage-node.target")
    cluster.join("b")


def test_its_volume_is_released_by_the_administrators_word_and_the_pod_runs_elsewhere(
    world: World, node_b_dies: None, lab: Lab
) -> None:
    claim = world.claim()
    lost = world.running(claim, "b")
    world.sh(lost, "echo from the lost node >/data/row; sync")
    lab.node("b").kill()
    world.cluster.kubectl("delete", "pod", lost, "--force", "--grace-period=0")

    pod = world.pod(claim, "a")
    until(lambda: "nodeb" in world.cluster.said(pod), lambda: world.cluster.said(pod))
    assert "nodea" not in str(world.mapped(claim))

    volume = world.cluster.wait_bound(claim)
    print(world.products["a"].machine.run(f"instoragectl release {volume} --from nodeb", 120).stdout)
    world.cluster.wait_running(pod)
    assert world.sh(pod, "cat /data/row") == "from the lost node"
