"""Calls that meet: the same one twice, a retry, another one for the same volume, a stub that leaves."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, device_target, options, pod_target, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench
    from tests.agent.call import Stub


def waiting_attach(bench: Bench, volume: str) -> tuple[Stub, threading.Event]:
    """An attach that waits in the helper until the event is set."""
    gate = threading.Event()
    script = bench.helper.script("Attach", gate=gate)
    stub = bench.begin("waitforattach", NODE, options(volume))
    assert script.reached.wait(10)
    return stub, gate


def test_the_same_call_twice_at_once_is_one_operation(bench: Bench) -> None:
    bench.create("vol1")
    first, gate = waiting_attach(bench, "vol1")
    second = bench.begin("waitforattach", NODE, options("vol1"))
    until(lambda: second.progress)
    gate.set()
    assert first.reply().success().answer == second.reply().success().answer
    assert bench.helper.verbs().count("Attach") == 1
    assert bench.commands().count("mkvdiskhostmap") == 1


def test_an_attach_goes_on_when_its_stub_has_left_and_the_retry_joins_it(bench: Bench) -> None:
    bench.create("vol1")
    first, gate = waiting_attach(bench, "vol1")
    first.leave()
    retry = bench.begin("waitforattach", NODE, options("vol1"))
    until(lambda: any("waiting for the device" in line for line in retry.progress))
    gate.set()
    retry.reply().success()
    assert bench.helper.verbs().count("Attach") == 1
    assert bench.maps("vol1") == ["iscsi-node1"]


def test_a_retry_that_leaves_again_frees_its_thread(bench: Bench) -> None:
    bench.create("vol1")
    first, gate = waiting_attach(bench, "vol1")
    for _ in range(5):
        retry = bench.begin("waitforattach", NODE, options("vol1"))
        until(partial(getattr, retry, "progress"))
        retry.leave()
    until(lambda: bench.agent.server.calls == 1)
    gate.set()
    first.reply().success()


def test_another_call_for_the_volume_waits_and_says_for_whom(bench: Bench) -> None:
    bench.create("vol1")
    first, gate = waiting_attach(bench, "vol1")
    other = bench.begin("unmountdevice", device_target("vol1"))
    until(lambda: any("waiting for waitforattach of vol1 (request " in line for line in other.progress))
    assert not other.answered
    gate.set()
    first.reply().success()
    other.reply().success()
    assert bench.maps("vol1") == []


def test_calls_of_other_volumes_do_not_wait(bench: Bench) -> None:
    bench.create("vol1")
    bench.create("vol2")
    first, gate = waiting_attach(bench, "vol1")
    bench.attach("vol2").success()
    bench.call("unmount", pod_target("vol2")).success()
    gate.set()
    first.reply().success()


def test_progress_names_the_phase_and_since_when(bench: Bench) -> None:
    bench.create("vol1")
    reply = bench.attach("vol1").success()
    assert any(line.startswith("mapping the volume on array storage-01, since ") for line in reply.progress)
    assert len(reply.progress) >= 4


@pytest.mark.slow
def test_twenty_attaches_at_once_use_one_connection(bench: Bench) -> None:
    names = [f"vol{number}" for number in range(20)]
    for name in names:
        bench.create(name)
    bench.array.close()
    bench.attach(names[0]).success()
    bench.reset()
    bench.do("fault", command="*", times=0, delay=0.02)
    stubs = [bench.begin("waitforattach", NODE, options(name)) for name in names[1:]]
    for stub in stubs:
        stub.reply().success()
    counters = bench.do("counters")
    assert counters["connections"]["opened"] == 0
    assert bench.commands().count("mkvdiskhostmap") == 19
    assert len(bench.commands()) == 19 * 3
    assert counters["channels"]["peak"] <= 8
    luns = [call["paths"][0]["lun"] for verb, call in bench.helper.calls if verb == "Attach"]
    assert sorted(luns) == list(range(20))


@pytest.mark.slow
def test_more_calls_than_threads_wait_and_are_all_answered(bench: Bench) -> None:
    bench.create("vol1")
    first, gate = waiting_attach(bench, "vol1")
    joiners = [bench.begin("waitforattach", NODE, options("vol1")) for _ in range(140)]
    until(lambda: bench.agent.server.calls == 128)
    gate.set()
    assert first.reply().success().answer["device"]
    for stub in joiners:
        stub.reply(30).success()
