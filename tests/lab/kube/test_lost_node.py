"""A node that is gone, or cut off, with a pod's volume mapped to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.conftest import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.kube.conftest import World
    from tools.kube.cluster import Cluster
    from tools.kube.control_agent import ControlAgent
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


def lose_node_b(world: World, lab: Lab) -> str:
    """Have a pod write on node b, stop the machine, delete the pod; return its claim."""
    claim = world.claim()
    lost = world.running(claim, "b")
    world.sh(lost, "echo from the lost node >/data/row; sync")
    lab.node("b").kill()
    world.cluster.kubectl("delete", "pod", lost, "--force", "--grace-period=0")
    return claim


def test_its_volume_is_released_by_the_administrators_word_and_the_pod_runs_elsewhere(
    world: World, node_b_dies: None, lab: Lab
) -> None:
    claim = lose_node_b(world, lab)

    pod = world.pod(claim, "a")
    until(lambda: "nodeb" in world.cluster.said(pod), lambda: world.cluster.said(pod))
    assert "nodea" not in str(world.mapped(claim))

    volume = world.cluster.wait_bound(claim)
    print(world.products["a"].machine.run(f"instoragectl release {volume} --from nodeb", 120).stdout)
    world.cluster.wait_running(pod)
    assert world.sh(pod, "cat /data/row") == "from the lost node"


def test_with_an_agent_on_the_control_plane_it_is_fenced_once_the_array_says_that_it_is_logged_out(
    world: World, node_b_dies: None, control_agent: ControlAgent, lab: Lab
) -> None:
    claim = lose_node_b(world, lab)
    world.cluster.forget_mounts(lab.node("b"))

    pod = world.running(claim, "a")
    assert world.sh(pod, "cat /data/row") == "from the lost node"
    assert "nodeb" not in str(world.mapped(claim))
    assert f"{world.cluster.wait_bound(claim)} was taken from node nodeb" in control_agent.log


def test_a_node_that_is_cut_off_but_logged_in_keeps_its_volume_and_the_managers_log_says_so(
    world: World, control_agent: ControlAgent, lab: Lab
) -> None:
    claim = world.claim()
    kept = world.running(claim, "b")
    world.sh(kept, "(while :; do date >>/data/rows; sleep 1; done) >/dev/null 2>&1 &")
    lab.node("b").run("systemctl stop kubelet")
    try:
        world.cluster.kubectl("delete", "pod", kept, "--force", "--grace-period=0")
        world.cluster.forget_mounts(lab.node("b"))
        pod = world.pod(claim, "a")
        said = "is logged in, so the node lives"
        until(lambda: said in world.cluster.plane.log("kube-controller-manager"), "kcm's log says so")
        assert "Multi-Attach" in world.cluster.said(pod)
        assert "nodeb" in str(world.mapped(claim))
        assert "nodea" not in str(world.mapped(claim))
    finally:
        lab.node("b").run("systemctl start kubelet")
        world.cluster.wait_ready(lab.node("b"))
    world.cluster.wait_running(pod)
    assert int(world.sh(pod, "wc -l </data/rows")) > 0
    assert "was taken from" not in control_agent.log


def test_a_pod_moves_between_nodes_with_an_agent_on_the_control_plane(
    world: World, control_agent: ControlAgent
) -> None:
    claim = world.claim()
    first = world.running(claim, "a")
    world.sh(first, "echo written on a >/data/row; sync")
    world.remove(first)
    moved = world.running(claim, "b")
    assert world.sh(moved, "cat /data/row") == "written on a"
    assert "detach: Success" in control_agent.log
