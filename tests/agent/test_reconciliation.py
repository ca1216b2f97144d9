"""What is left behind is settled by the agent itself; what is in use or not its own is left alone."""

from __future__ import annotations

import time

import pytest

from instorage.wire.fault import Code, Fault
from tests.agent.bench import Bench, device_target, options, pod_target, until
from tests.agent.helper_peer import FaultError
from tests.agent.reconciling import clean, node

__all__ = ["node"]


def test_an_attach_that_kubelet_gave_up_is_taken_down(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    until(lambda: clean(node, "vol1"))


def test_a_mounted_volume_is_left_alone_and_nothing_wakes_up(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    until(node.agent._reconciler.idle)
    before = len(node.helper.calls)
    node.create("vol2")
    node.attach("vol2").success()
    until(lambda: clean_of(node, "vol2"))
    assert all(call.get("uid") != uid_of(node, "vol1") for _, call in node.helper.calls[before:])
    assert node.maps("vol1") == ["iscsi-node1"]


def clean_of(bench: Bench, volume: str) -> bool:
    return not bench.maps(volume) and all(record["name"] != volume for record in bench.records().values())


def uid_of(bench: Bench, volume: str) -> str:
    return next(uid for uid, record in bench.records().items() if record["name"] == volume)


def test_a_failed_unmount_is_finished_when_the_trouble_is_over(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.helper.script("Detach", fault=FaultError("device-busy", "Held by process 9."))
    node.call("unmountdevice", device_target("vol1")).failure("process 9")
    assert node.maps("vol1") == ["iscsi-node1"]
    until(lambda: clean(node, "vol1"))


def test_a_helper_that_died_within_an_attach_leaves_nothing_for_long(node: Bench) -> None:
    node.create("vol1")
    node.helper.script("Attach", dies=True)
    node.helper.script("Detach", dies=True)
    node.attach("vol1").failure("during Attach")
    until(lambda: clean(node, "vol1"))


def test_a_volume_that_somebody_has_mounted_elsewhere_stays_until_that_is_over(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    uid = node.create("vol1")
    node.attach("vol1").success()
    node.helper.mounts["/mnt/by-hand"] = (uid, False)
    until(lambda: "is still mounted at /mnt/by-hand" in caplog.text)
    assert node.maps("vol1") == ["iscsi-node1"]
    del node.helper.mounts["/mnt/by-hand"]
    until(lambda: clean(node, "vol1"))


def test_after_a_reboot_volumes_are_taken_down_before_ready(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()

    def reboot() -> None:
        node.helper.mounts.clear()
        node.set_boot("22222222-boot")

    node.restart(reboot)
    node.call("init").success()
    assert clean(node, "vol1")


def test_after_a_reboot_without_the_array_the_agent_is_ready_and_goes_on_later(
    node: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.__main__.READY_SECONDS", 1.0)
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.do("fault", command="*", times=0, before="silence")

    def reboot() -> None:
        node.helper.mounts.clear()
        node.set_boot("22222222-boot")

    node.restart(reboot)
    assert node.call("init").success().seconds < 5
    assert node.records()
    node.do("clear")
    node.do("drop-connections")
    until(lambda: clean(node, "vol1"), 30)


def test_a_mounted_volume_survives_a_restart_of_the_agent(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.call("mount", pod_target("vol1"), options("vol1")).success()
    node.restart()
    until(lambda: node.agent._reconciler.idle())
    assert len(node.helper.mounts) == 2
    node.call("unmount", pod_target("vol1")).success()
    node.call("unmountdevice", device_target("vol1")).success()
    assert clean(node, "vol1")


def test_a_barrier_stops_reconciliation(node: Bench) -> None:
    node.create("vol1")
    barrier = node.paths.plugin / "aa-extend-failure.barrier"
    node.helper.script("Attach", dies=True)
    node.helper.script("Detach", dies=True)
    node.attach("vol1").failure()
    barrier.write_text("")
    until(lambda: node.agent._reconciler._failures._in_a_row)
    assert node.maps("vol1") == ["iscsi-node1"]
    barrier.unlink()
    until(lambda: clean(node, "vol1"))


def test_one_failure_is_tried_again_after_the_usual_rest_and_each_further_one_later(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    reconciler = bench.agent._reconciler
    pauses = []
    for _ in range(3):
        began = time.monotonic()
        reconciler._again(uid, "Volume vol1 stays", Fault(Code.DEVICE_BUSY, "Held."))
        pauses.append(round(reconciler._due[uid] - began))
    assert pauses == [30, 60, 120]


@pytest.mark.parametrize("code", ["array-unreachable", "timeout", "lock-timeout", "helper-unreachable"])
def test_what_ends_by_itself_is_tried_again_within_two_minutes_however_long_it_took(
    bench: Bench, code: str
) -> None:
    """A call that has the volume just then must not cost ten minutes after an hour of a dead array."""
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    reconciler = bench.agent._reconciler
    for _ in range(20):
        began = time.monotonic()
        reconciler._again(uid, "Volume vol1 stays", Fault(Code(code), "For now."))
    assert reconciler._due[uid] - began <= 121
