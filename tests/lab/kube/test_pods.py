"""Pods with claims on real kubelets, as a user of the cluster sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.world import until
from tests.soak import IN_SOAK, in_turn
from tools.kube import api

if TYPE_CHECKING:
    from tests.lab.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]


@in_turn(1, 4)  # and without attach calls: test_attach_false
def test_data_outlives_its_pod_moves_to_the_other_node_and_goes_with_the_claim(world: World) -> None:
    claim = world.claim()
    volume = world.cluster.wait_bound(claim)
    first = world.running(claim, "a")
    assert len(world.mapped(claim)) == 1
    world.sh(first, "echo written on a >/data/row; sync")
    assert "ext4" in world.sh(first, "grep ' /data ' /proc/mounts")
    world.remove(first)
    world.unmapped(claim)

    again = world.running(claim, "a")
    assert world.sh(again, "cat /data/row") == "written on a"
    world.remove(again)

    moved = world.running(claim, "b")
    assert world.sh(moved, "cat /data/row") == "written on a"
    assert "nodeb" in str(world.mapped(claim))
    assert "nodea" not in str(world.mapped(claim))
    until(lambda: not world.products["a"].residue(), "node a is clean")

    world.cluster.kubectl("delete", "pod", moved, "--force", "--grace-period=0")
    world.cluster.kubectl("delete", "pvc", claim, "--wait=false")
    world.cluster.wait_gone(f"{api.VOLUMES}/{volume}")
    assert volume not in str(world.san.control.do("volumes"))


@in_turn(0, 2)
def test_a_first_use_read_only_is_refused_and_the_event_says_why(world: World) -> None:
    pod = world.pod(world.claim(), "a", read_only=True)
    until(lambda: "MountDevice failed" in world.cluster.said(pod), lambda: world.cluster.said(pod))
    said = world.cluster.said(pod)
    assert "has no file system" in said
    assert "first use must be read-write" in said


@in_turn(0, 2)
def test_a_pod_on_another_node_waits_and_its_event_names_the_first(world: World) -> None:
    claim = world.claim()
    first = world.running(claim, "a")
    second = world.pod(claim, "b")
    until(lambda: "Multi-Attach" in world.cluster.said(second), lambda: world.cluster.said(second))
    assert first in world.cluster.said(second)
    assert "nodeb" not in str(world.mapped(claim))


@IN_SOAK
def test_a_volume_named_in_two_pods_serves_one_node_and_the_other_pod_says_which(world: World) -> None:
    volume = world.array_volume("instorage-120-test04")
    first = world.inline_pod(volume, "a")
    world.cluster.wait_running(first)
    world.sh(first, "echo by hand >/data/row; sync")
    second = world.inline_pod(volume, "b")
    until(lambda: "nodea" in world.cluster.said(second), lambda: world.cluster.said(second))
    assert "nodeb" not in str(world.mapped_volume(volume))
    world.remove(first)
    world.cluster.wait_running(second)
    assert world.sh(second, "cat /data/row") == "by hand"
