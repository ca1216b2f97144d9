"""What a restart does to a running pod with a volume: nothing, or the pod is back with its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.conftest import until
from tools.lab import LabFault

if TYPE_CHECKING:
    from tests.lab.kube.conftest import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("unit", ["kubelet", "instorage-nodeagent", "instorage-helper", "containerd"])
def test_a_restarted_service_leaves_the_pod_alone_and_the_volume_goes_with_the_pod(
    world: World, unit: str
) -> None:
    machine = world.products["a"].machine
    claim = world.claim()
    pod = world.running(claim, "a")
    world.sh(pod, "echo before >/data/row; sync")
    machine.run(f"systemctl restart {unit}", timeout=120)
    world.cluster.wait_kubelet(machine)
    until(lambda: _content(world, pod) == "before", lambda: f"data: {world.cluster.said(pod)}", 120)
    assert world.sh(pod, "cat /data/row; echo after >>/data/row; cat /data/row").split() == [
        "before", "before", "after",
    ]  # fmt: skip
    assert world.restarts(pod) == 0
    world.remove(pod)
    world.unmapped(claim)


@pytest.mark.parametrize("hard", [False, True], ids=["reboot", "reset"])
def test_after_the_machine_came_back_the_pod_has_its_data(world: World, *, hard: bool) -> None:
    machine = world.products["a"].machine
    pod = world.running(world.claim(), "a")
    world.sh(pod, "echo before >/data/row; sync")
    machine.reboot(hard=hard)
    machine.set_clock()
    world.cluster.wait_kubelet(machine)
    until(lambda: world.restarts(pod) == 1, lambda: f"started again: {world.cluster.said(pod)}", 240)
    until(lambda: _content(world, pod) == "before", lambda: f"data: {world.cluster.said(pod)}", 120)
    world.sh(pod, "echo after >>/data/row; sync")


def _content(world: World, pod: str) -> str:
    try:
        return world.sh(pod, "cat /data/row")
    except LabFault as fault:
        return str(fault)
