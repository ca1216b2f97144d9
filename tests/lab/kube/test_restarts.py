"""What a restart does to a running pod with a volume: nothing, or the pod is back with its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.world import until
from tests.soak import IN_SOAK, in_turn
from tools.lab import LabFault

if TYPE_CHECKING:
    from tests.lab.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]


@in_turn(1, 2)
def test_restarted_services_leave_the_pod_alone_and_the_volume_goes_with_the_pod(world: World) -> None:
    machine = world.products["a"].machine
    claim = world.claim()
    pod = world.running(claim, "a")
    rows = []
    for unit in ("kubelet", "instorage-nodeagent", "instorage-helper", "containerd"):
        rows.append(unit)
        world.sh(pod, f"echo {unit} >>/data/rows; sync")
        machine.run(f"systemctl restart {unit}", timeout=120)
        world.cluster.wait_kubelet(machine)
        until(lambda: _rows(world, pod) == rows, lambda: f"rows: {world.cluster.said(pod)}", 120)
    world.sh(pod, "echo after >>/data/rows; sync")
    assert world.restarts(pod) == 0
    world.remove(pod)
    world.unmapped(claim)


@IN_SOAK  # every day without a kubelet, in tests/lab/crash
def test_after_a_reset_the_pod_has_its_data(world: World) -> None:
    machine = world.products["a"].machine
    pod = world.running(world.claim(), "a")
    world.sh(pod, "echo before >/data/rows; sync")
    machine.reboot(hard=True)
    machine.set_clock()
    world.cluster.wait_kubelet(machine)
    until(lambda: world.restarts(pod) == 1, lambda: f"started again: {world.cluster.said(pod)}", 240)
    until(lambda: _rows(world, pod) == ["before"], lambda: f"data: {world.cluster.said(pod)}", 120)
    world.sh(pod, "echo after >>/data/rows; sync")


def _rows(world: World, pod: str) -> list[str]:
    """Return the rows that the pod reads; what stands in the way as one."""
    try:
        return world.sh(pod, "cat /data/rows").split()
    except LabFault as fault:
        return [str(fault)]
