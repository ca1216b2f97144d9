"""Nodes whose kubelet makes no attach calls: faster, and as safe; one command switches them, and back."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration import attach_calls
from nodeagent.host.paths import Paths
from tests.lab.kube.world import until
from tests.soak import IN_SOAK, WHOLE, in_turn, write_figures
from tools.kube import api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.kube.world import World
    from tools.kube.cluster import Cluster
    from tools.lab import Lab, Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
ROUNDS = 3
OURS = 6.0  # seconds that a volume should add to a pod's start, in the lab: a figure, for its machines differ


@pytest.fixture(scope="module")
def switched(cluster: Cluster, products: dict[str, Product]) -> Iterator[None]:
    """The whole cluster without attach calls, its nodes drained before; back at the end."""
    _switch(cluster, products, attach=False)
    yield
    _switch(cluster, products, attach=True)


def _switch(cluster: Cluster, products: dict[str, Product], *, attach: bool) -> None:
    """Do as docs/attach.md says: each node, then where kube-controller-manager has the stub."""
    for product in products.values():
        _drained(product)
        print(product.machine.run(f"instoragectl attach-calls {str(attach).lower()}").stdout)
    beside = Paths(cluster.plugin, cluster.plugin / "config", cluster.plugin, "")
    print("\n".join(attach_calls.switch(beside, attach=attach)))


def attached_by_the_manager(world: World, node: str) -> str:
    """Return what the node's object says that kube-controller-manager has attached to it."""
    name = world.products[node].machine.role.hostname
    found = world.cluster.api.get(f"/api/v1/nodes/{name}") or {}
    return str((found.get("status") or {}).get("volumesAttached"))


def started(world: World, claim: str, node: str) -> tuple[str, float]:
    began = time.monotonic()
    pod = world.running(claim, node)
    return pod, time.monotonic() - began


@in_turn(3, 4)
def test_a_pod_starts_without_waiting_for_the_node_status_and_moves_with_its_data(
    switched: None, world: World
) -> None:
    claim = world.claim()
    first, took = started(world, claim, "a")
    print(f"created to running, attach false: {took:.1f} s")
    assert "instorage" not in attached_by_the_manager(world, "a")
    assert len(world.mapped(claim)) == 1
    world.sh(first, "echo written on a >/data/row; sync")
    second = world.pod(claim, "b")  # the array's mapping is what keeps it away
    until(lambda: "nodea" in world.cluster.said(second), lambda: world.cluster.said(second))
    assert "nodeb" not in str(world.mapped(claim))
    world.remove(first)
    world.cluster.wait_running(second)
    assert world.sh(second, "cat /data/row") == "written on a"
    assert "nodea" not in str(world.mapped(claim))
    until(lambda: not world.products["a"].residue(), "node a is clean")


@IN_SOAK
def test_a_kill_between_the_last_unmount_and_the_unmapping_leaves_nothing(
    switched: None, world: World
) -> None:
    machine: Machine = world.products["a"].machine
    claim = world.claim()
    pod = world.running(claim, "a")
    fault = world.san.control.do("fault", command="rmvdiskhostmap", times=1, delay=60.0)
    world.cluster.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
    until(lambda: not _ours(machine), "unmounted")
    machine.run("systemctl kill -s KILL instorage-nodeagent")
    world.san.control.do("clear", number=fault)
    world.unmapped(claim)
    until(lambda: not world.products["a"].residue(), "node a is clean")
    again = world.running(claim, "a")
    world.remove(again)


def _ours(machine: Machine) -> str:
    return machine.run("grep -E 'inspur' /proc/mounts", check=False).stdout


def _drained(product: Product) -> None:
    until(lambda: not product.residue(), "the node is drained")


def _back(world: World, pod: str, count: int) -> None:
    """Wait until the pod was started so often, and has as many rows."""
    until(lambda: world.restarts(pod) >= count, lambda: world.cluster.said(pod), 240)
    until(lambda: _rows(world, pod) == count, lambda: world.cluster.said(pod), 240)


@IN_SOAK
def test_after_an_orderly_reboot_and_after_a_reset_the_pod_has_its_data(switched: None, world: World) -> None:
    machine = world.products["a"].machine
    claim = world.claim()
    pod = world.running(claim, "a")
    for count, hard in enumerate((False, True), 1):
        world.sh(pod, f"echo {count} >>/data/rows; sync")
        machine.reboot(hard=hard)
        machine.set_clock()
        world.cluster.wait_kubelet(machine)
        _back(world, pod, count)


def _rows(world: World, pod: str) -> int:
    return int(world.cluster.kubectl("exec", pod, "--", "sh", "-c", "wc -l </data/rows || echo 0").strip())


@IN_SOAK
def test_a_dead_nodes_volume_is_released_by_the_administrator_as_with_attach_calls(
    switched: None, world: World, lab: Lab, cluster: Cluster
) -> None:
    claim = world.claim()
    lost = world.running(claim, "b")
    world.sh(lost, "echo from b >/data/row; sync")
    lab.node("b").kill()
    try:
        cluster.kubectl("delete", "pod", lost, "--force", "--grace-period=0")
        pod = world.pod(claim, "a")
        until(lambda: "nodeb" in cluster.said(pod), lambda: cluster.said(pod))
        volume = cluster.wait_bound(claim)
        world.products["a"].machine.run(f"instoragectl release {volume} --from nodeb", 120)
        cluster.wait_running(pod)
        assert world.sh(pod, "cat /data/row") == "from b"
    finally:
        lab.node("b").reload()
        world.products["b"].install()
        world.products["b"].machine.run(
            "systemctl enable -q instorage-node.target; instoragectl attach-calls false"
        )
        cluster.join("b")


def _tell(world: World, pod: str, what: str) -> None:
    """Print when what happened: of a figure that is too high the next question is where it went."""
    found = [one for one in world.cluster.api.items(api.EVENTS) if one["involvedObject"]["name"] == pod]
    journal = "journalctl -q --no-pager -o short-precise -n 25 -u instorage-nodeagent"
    print(what, *(f"{one['firstTimestamp']} {one['reason']}" for one in found), sep="\n")
    print(world.products["a"].machine.run(journal).stdout)


@IN_SOAK
def test_both_settings_and_a_pod_without_a_volume_side_by_side(
    switched: None, world: World, cluster: Cluster, products: dict[str, Product]
) -> None:
    """Three pods of each in turn: the first of an image, of a directory or of a session is none of them."""
    took: dict[str, list[float]] = {}
    for attach in (True, False):
        _switch(cluster, products, attach=attach)
        for _ in range(ROUNDS):
            for what, claim in ((f"attach {str(attach).lower()}", world.claim()), ("no volume", "")):
                until(lambda: not products["a"].residue(), "the last one's volume is gone")
                began = time.monotonic()
                name = world.pod(claim, "a") if claim else world.plain_pod("a")
                world.cluster.wait_running(name)
                took.setdefault(what, []).append(time.monotonic() - began)
                _tell(world, name, f"{what}: {took[what][-1]:.1f} s")
                world.cluster.kubectl("delete", "pod", name, "--force", "--grace-period=0")
    middle = {what: statistics.median(seconds) for what, seconds in took.items()}
    said = ", ".join(f"{what} {[round(one, 1) for one in seconds]}" for what, seconds in took.items())
    ours = middle["attach false"] - middle["no volume"]
    said += f" s; the volume's part {ours:.1f} s of {OURS:.0f}, {'met' if ours <= OURS else 'MISSED'}"
    print(said)
    if WHOLE:
        write_figures("a pod, created to running", said)
    assert middle["attach false"] < middle["attach true"]
