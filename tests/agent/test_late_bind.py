"""A pod's directory is bound for a caller who is there, and no pod loses it because nobody asks any more.

kubelet, told that a mount failed, asks again, and takes a directory that is mounted by then for done: it
calls nobody and starts the pod.
"""

from __future__ import annotations

import threading

import pytest

from tests.agent.bench import Bench, device_target, options, pod_target, until
from tests.agent.reconciling import clean
from tests.agent.test_given_up import abandoned, bench

__all__ = ["bench"]
POD = pod_target("vol1")
EITHER = pytest.mark.parametrize("calls", ["false", "true"])


def mountable(bench: Bench, calls: str) -> None:
    """A volume that kubelet may mount for its pod, with its calls for attaching or without them."""
    (bench.paths.plugin / ".attach").write_text(f"{calls}\n")
    bench.create("vol1")
    if calls == "true":
        bench.attach("vol1").success()
        bench.mount_device("vol1").success()


def outlived(bench: Bench, verb: str) -> None:
    """A mount whose stub leaves while the helper is at work; returns when it has ended."""
    gate = threading.Event()
    script = bench.helper.script(verb, gate=gate)
    stub = bench.begin("mount", POD, options("vol1"))
    assert script.reached.wait(10)
    stub.leave()
    gate.set()
    until(lambda: not bench.agent._dispatcher.flights.running())


def time_has_passed(bench: Bench) -> None:
    """Wait until another volume that kubelet gave up is gone, one that has waited for less long."""
    (bench.paths.plugin / ".attach").write_text("true\n")
    abandoned(bench, "vol2")
    until(lambda: not bench.maps("vol2"))


def test_after_a_check_that_outlasts_its_caller_no_pod_is_started_over_a_directory_that_goes(
    bench: Bench,
) -> None:
    mountable(bench, "false")
    outlived(bench, "Mount")
    assert "Bind" not in bench.helper.verbs()
    bench.call("mount", POD, options("vol1")).success()
    time_has_passed(bench)
    assert {POD, device_target("vol1")} <= bench.helper.mounts.keys()


def test_of_a_bind_whose_pod_was_deleted_meanwhile_nothing_is_left(bench: Bench) -> None:
    mountable(bench, "false")
    outlived(bench, "Bind")
    until(lambda: clean(bench, "vol1") and not bench.helper.mounts)


@EITHER
def test_a_bind_that_outlasts_its_caller_is_taken_back_at_once(bench: Bench, calls: str) -> None:
    mountable(bench, calls)
    bench.stop()
    bench.rest = 30.0
    bench.start()
    outlived(bench, "Bind")
    assert POD not in bench.helper.mounts
    assert device_target("vol1") in bench.helper.mounts
    bench.call("mount", POD, options("vol1")).success()
    assert POD in bench.helper.mounts


@EITHER
def test_a_directory_that_a_running_pod_may_have_is_not_unmounted_because_nobody_asks(
    bench: Bench, calls: str, caplog: pytest.LogCaptureFixture
) -> None:
    mountable(bench, calls)
    bench.helper.busy.add(POD)
    outlived(bench, "Bind")
    bench.helper.busy.clear()
    assert f"{POD} stays bound: a pod may have it by now" in caplog.text
    time_has_passed(bench)
    assert {POD, device_target("vol1")} <= bench.helper.mounts.keys()
    assert bench.maps("vol1") == ["iscsi-node1"]


def test_a_directory_that_was_bound_before_stays_when_the_caller_of_a_second_bind_leaves(
    bench: Bench,
) -> None:
    mountable(bench, "false")
    bench.call("mount", POD, options("vol1")).success()
    outlived(bench, "Bind")
    assert POD in bench.helper.mounts


def test_who_asks_again_while_it_is_being_bound_gets_it(bench: Bench) -> None:
    mountable(bench, "true")
    gate = threading.Event()
    script = bench.helper.script("Bind", gate=gate)
    first = bench.begin("mount", POD, options("vol1"))
    assert script.reached.wait(10)
    second = bench.begin("mount", POD, options("vol1"))
    until(lambda: second.progress)
    first.leave()
    gate.set()
    second.reply().success()
    assert POD in bench.helper.mounts
