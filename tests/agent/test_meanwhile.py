"""Other calls while an active-active volume is being expanded on this node: who waits, and who goes on."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from nodeagent.service import dispatch
from tests.agent.bench import GIB, device_target, options, pod_target, until
from tests.agent.expanding import COMMAND, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.agent.call import Stub

pytestmark = pytest.mark.slow
HINT = "an active-active expansion of volume vol1 is under way on this host"


@pytest.fixture
def busy(pair: Pair) -> Iterator[tuple[Pair, Stub, threading.Event]]:
    """An expansion that stands at step 3 until the event is set."""
    bench = pair.bench
    for name in ("vol2", "vol3", "vol4"):
        bench.create(name)
    bench.use("vol3")
    bench.call("unmount", pod_target("vol3")).success()
    bench.use("vol4")
    gate, at = threading.Event(), threading.Event()

    def hold() -> None:
        at.set()
        assert gate.wait(30)

    bench.helper.before[Step.GROW_AUX] = hold
    call = pair.begin()
    assert at.wait(10)
    bench.reset()
    yield pair, call, gate
    gate.set()


def waits(call: Stub) -> bool:
    return any(HINT in line for line in call.progress)


def test_calls_that_attach_or_detach_wait_for_it_and_say_so(
    busy: tuple[Pair, Stub, threading.Event],
) -> None:
    pair, call, gate = busy
    bench = pair.bench
    calls = [
        bench.begin("waitforattach", "", options("vol2")),
        bench.begin("unmountdevice", device_target("vol3")),
        bench.begin("detach", "vol5", "node1"),
    ]
    for waiting in calls:
        until(partial(waits, waiting))
    assert bench.maps("vol2") == []
    assert device_target("vol3") in bench.helper.mounts, "unmounted although it has to wait"
    assert bench.commands() == []
    gate.set()
    for waiting in (call, *calls):
        waiting.reply(30).success()
    assert bench.maps("vol2") == ["iscsi-node1"]
    assert bench.maps("vol3") == []
    pair.assert_whole()


def test_calls_that_neither_attach_nor_detach_go_on_meanwhile(
    busy: tuple[Pair, Stub, threading.Event],
) -> None:
    pair, call, gate = busy
    bench = pair.bench
    bench.call("unmount", pod_target("vol4")).success()
    bench.call("mount", pod_target("vol4"), options("vol4")).success()
    bench.mount_device("vol4").success()
    assert bench.expandfs("vol4", 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB
    bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    bench.map("vol2", "iscsi-node2")
    bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    bench.call("detach", "vol2", "node2").success()
    assert bench.maps("vol2") == []
    gate.set()
    call.reply(30).success()
    pair.assert_whole()


def test_a_call_that_has_waited_long_enough_names_the_expansion(
    busy: tuple[Pair, Stub, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, call, gate = busy
    monkeypatch.setitem(dispatch.PATIENCE, "waitforattach", 0.3)
    began = time.monotonic()
    said = pair.bench.attach("vol2").failure("The host lock is held by another connection")
    assert f"An{HINT[2:]}" in said
    assert time.monotonic() - began < 10
    gate.set()
    call.reply(30).success()


def test_who_waited_for_one_that_breaks_off_is_refused_and_has_changed_nothing(
    busy: tuple[Pair, Stub, threading.Event],
) -> None:
    pair, call, gate = busy
    bench = pair.bench
    attach = bench.begin("waitforattach", "", options("vol2"))
    unmount = bench.begin("unmountdevice", device_target("vol3"))
    for waiting in (attach, unmount):
        until(partial(waits, waiting))
    bench.do("fault", command=COMMAND[Step.GROW_AUX], error="CMMVC5982E")
    gate.set()
    call.reply(30).failure("step 3 of 9")
    for waiting in (attach, unmount):
        waiting.reply(30).failure(str(bench.helper.barrier))
    assert bench.maps("vol2") == []
    assert device_target("vol3") in bench.helper.mounts
    assert bench.maps("vol3") == ["iscsi-node1"]
