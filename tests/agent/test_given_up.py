"""What kubelet gave up while it was done is not kept: of a pod that was deleted it asks nothing more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, device_target, options, pod_target, until
from tests.agent.reconciling import clean
from tests.agent.test_same_name import HERE, THERE, create_there
from tests.agent.test_two_arrays import maps, second

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from simulator.array import Simulator

__all__ = ["second"]


@pytest.fixture
def bench(directory: Path, portal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A node whose agent waits 0.3 s after the last call, and 0.9 s until kubelet has given up."""
    monkeypatch.setattr("nodeagent.recovery.unclaimed.GIVEN_UP", 3)
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    bench.start()
    yield bench
    bench.close()


def abandoned(bench: Bench, volume: str) -> None:
    """A pod that waits for a long check of its volume, and is deleted: the stub leaves before the end."""
    bench.create(volume)
    bench.attach(volume).success()
    gate = threading.Event()
    script = bench.helper.script("Mount", gate=gate)
    stub = bench.begin("mountdevice", device_target(volume), "/dev/ignored", options(volume))
    assert script.reached.wait(10)
    stub.leave()
    gate.set()
    until(lambda: device_target(volume) in bench.helper.mounts)


def test_a_volume_that_is_mounted_after_its_pod_was_deleted_is_taken_down(bench: Bench) -> None:
    abandoned(bench, "vol1")
    until(lambda: clean(bench, "vol1"))


def test_what_kubelet_asks_for_again_stays(bench: Bench) -> None:
    abandoned(bench, "vol1")
    bench.mount_device("vol1").success()
    bench.call("mount", pod_target("vol1"), options("vol1")).success()
    abandoned(bench, "vol2")
    until(lambda: not bench.maps("vol2"))
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert {device_target("vol1"), pod_target("vol1")} <= bench.helper.mounts.keys()


def test_as_long_as_kubelet_asks_nothing_is_given_up(bench: Bench) -> None:
    abandoned(bench, "vol1")
    abandoned(bench, "vol2")

    def asked() -> bool:
        bench.attach("vol1").success()
        time.sleep(0.4)  # kubelet's pause: the agent looks meanwhile
        return not bench.maps("vol2")

    until(asked)
    assert device_target("vol1") in bench.helper.mounts


def test_a_device_mount_without_a_pod_that_an_earlier_agent_left_is_taken_down(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.restart(lambda: None)
    until(lambda: clean(bench, "vol1"))


def test_a_volume_whose_last_pod_ended_before_kubelet_was_started_anew_is_taken_down(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.call("mount", pod_target("vol1"), options("vol1")).success()
    bench.call("unmount", pod_target("vol1")).success()
    until(lambda: clean(bench, "vol1"))


def test_the_namesake_of_another_array_that_kubelet_gave_up_is_taken_down(
    bench: Bench, second: Simulator
) -> None:
    bench.create("data")
    create_there(bench, second)
    bench.attach("data", HERE).success()
    bench.attach("data", THERE).success()
    bench.mount_device("data", HERE).success()
    bench.call("mount", pod_target("data"), HERE).success()
    until(lambda: not maps(second, "data"))
    assert bench.maps("data") == ["iscsi-node1"]


def test_a_call_that_is_faster_than_the_first_trial_keeps_no_comparison_waiting(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    reconciler = bench.agent._reconciler
    with reconciler._changed:
        reconciler._earlier = {uid.lower()}
        reconciler._settled.clear()
    bench.mount_device("vol1").success()
    assert reconciler.wait_settled(10)
