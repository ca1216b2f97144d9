"""A volume that the vendor's plugin attached before the upgrade grows while its pod goes on."""

from __future__ import annotations

import pytest

from tests.agent.bench import GIB, Bench, device_target, pod_target
from tests.agent.reconciling import vendors


def in_a_pod(bench: Bench, target: str = "") -> str:
    """Mounted as a device, under its own name or another, and for a pod; this agent knows nothing of it."""
    uid = vendors(bench, "vol1", target)
    bench.helper.mounts[pod_target("vol1")] = (uid, False)
    bench.helper.filesystems[uid] = GIB
    bench.reset()
    assert bench.records() == {}
    return uid


@pytest.mark.parametrize("place", ["the pod's directory", "the device mount"])
def test_it_grows_without_a_restart_of_its_pod(bench: Bench, place: str) -> None:
    uid = in_a_pod(bench)
    target = device_target("vol1") if place == "the device mount" else ""
    assert bench.expandfs("vol1", 2 * GIB, target=target).success().answer["volumeNewSize"] == 2 * GIB
    assert bench.size(uid) == bench.helper.filesystems[uid] == bench.records()[uid]["size"] == 2 * GIB
    assert bench.records()[uid]["target"] == device_target("vol1")
    assert bench.commands().count("expandvdisksize") == 1
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []


def test_what_is_mounted_under_another_name_is_not_taken_over(bench: Bench) -> None:
    uid = in_a_pod(bench, "other")
    bench.expandfs("vol1", 2 * GIB).failure("was not attached by this agent")
    assert bench.size(uid) == GIB
    assert bench.records() == {}


def test_what_only_a_pods_directory_shows_grows_and_ends_with_its_pod(bench: Bench) -> None:
    uid = in_a_pod(bench)
    del bench.helper.mounts[device_target("vol1")]
    bench.expandfs("vol1", 2 * GIB).success()
    assert bench.size(uid) == bench.helper.filesystems[uid] == 2 * GIB
    assert "target" not in bench.records()[uid]
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []
    assert bench.records() == {}


@pytest.mark.parametrize("known", [False, True], ids=["new here", "taken over before"])
def test_one_that_is_mapped_to_two_hosts_does_not_grow(
    bench: Bench, known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The vendor's program maps with -force, so that two nodes may write to one file system."""
    uid = in_a_pod(bench)
    bench.make_host("iscsi-node2", "iqn.2026-01.com.example:node2")
    bench.map("vol1", "iscsi-node2", share=True)
    for _ in range(1 + known):
        bench.expandfs("vol1", 2 * GIB).failure("mapped to host iscsi-node2")
    assert bench.size(uid) == GIB
    assert "Volume vol1 is mapped to iscsi-node2 too: two nodes that write" in caplog.text
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == ["iscsi-node2"], "that mapping is the other node's"
