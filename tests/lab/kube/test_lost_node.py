"""A node that is gone, or cut off, with a pod's volume mapped to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.world import until
from tests.soak import WHOLE, in_turn
from tools.kube.cluster import RUNNING_LIMIT
from tools.kube.control_agent import ControlAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.kube.world import World
    from tools.kube.cluster import Cluster
    from tools.lab import Lab
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
SIX_MINUTES = (
    360.0  # seconds until kube-controller-manager detaches from a node that does not say what it mounts
)


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


def lose_node_b(world: World, lab: Lab) -> tuple[list[str], list[str]]:
    """Have two pods write on node b, and stop the machine; return their claims and their names."""
    until(lambda: not world.products["b"].residue(), "node b has nothing of an earlier test")
    claims = [world.claim(), world.claim()]
    pods = [world.pod(claim, "b") for claim in claims]
    for pod in pods:
        world.cluster.wait_running(pod)
        world.sh(pod, "echo from the lost node >/data/row; sync")
    lab.node("b").kill()
    return claims, pods


@in_turn(0, 2)
def test_a_lost_nodes_volume_is_released_by_the_administrators_word_or_fenced_by_an_agent_beside_the_manager(
    world: World, node_b_dies: None, cluster: Cluster, lab: Lab
) -> None:
    (claim, other), (lost, also_lost) = lose_node_b(world, lab)
    volume, fenced = cluster.wait_bound(claim), cluster.wait_bound(other)

    cluster.kubectl("delete", "pod", lost, "--force", "--grace-period=0")
    pod = world.pod(claim, "a")
    until(lambda: "nodeb" in cluster.said(pod), lambda: cluster.said(pod))
    assert "nodea" not in str(world.mapped(claim))
    print(world.products["a"].machine.run(f"instoragectl release {volume} --from nodeb", 120).stdout)
    cluster.wait_running(pod)
    assert world.sh(pod, "cat /data/row") == "from the lost node"

    with ControlAgent(cluster, lab.management_socket(), lab.directory / "control-agent") as agent:
        cluster.kubectl("delete", "pod", also_lost, "--force", "--grace-period=0")
        if not WHOLE:
            cluster.forget_mounts(lab.node("b"))
        pod = world.pod(other, "a")
        cluster.wait_running(pod, SIX_MINUTES + RUNNING_LIMIT)
        assert f"{fenced} was taken from node nodeb" in agent.log
    assert world.sh(pod, "cat /data/row") == "from the lost node"
    assert "nodeb" not in str(world.mapped(other))


@pytest.fixture
def control_agent(cluster: Cluster, lab: Lab) -> Iterator[ControlAgent]:
    """An agent on the control plane's host, for this test."""
    with ControlAgent(cluster, lab.management_socket(), lab.directory / "control-agent") as agent:
        yield agent


@in_turn(1, 2)
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
        until(lambda: "Multi-Attach" in world.cluster.said(pod), lambda: world.cluster.said(pod))
        assert "nodeb" in str(world.mapped(claim))
        assert "nodea" not in str(world.mapped(claim))
    finally:
        lab.node("b").run("systemctl start kubelet")
        world.cluster.wait_ready(lab.node("b"))
    if WHOLE:  # kube-controller-manager tries again up to two minutes later
        world.cluster.wait_running(pod)
        assert int(world.sh(pod, "wc -l </data/rows")) > 0
    assert f"{world.cluster.wait_bound(claim)} was taken from" not in control_agent.log


@pytest.mark.skipif(
    not WHOLE, reason="in make soak; without an agent, and after a fence, a pod moves every day"
)
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
