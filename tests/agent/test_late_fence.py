"""A fence comes in time or not at all, and a node lives by any of its host objects."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint, Limits
from instorage.volume_name import VolumeName
from nodeagent.calls import detach
from nodeagent.service import dispatch
from nodeagent.volume import fencing
from tests.agent.bench import options, until

if TYPE_CHECKING:
    from instorage.wire.fault import Fault
    from tests.agent.bench import Bench

IQN = "iqn.1993-08.org.debian:01:node2"
OTHER_IQN = "iqn.1993-08.org.debian:01:node2b"


@pytest.fixture
def lost(bench: Bench) -> Bench:
    """A volume that node2 has and does not give back; nobody is logged in as node2."""
    bench.create("vol1")
    bench.make_host("iscsi-node2", IQN)
    bench.map("vol1", "iscsi-node2")
    bench.do("logins", port=IQN, nodes=[])
    return bench


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "PAUSE_SECONDS", 0.05)


def unmaps(bench: Bench) -> int:
    return bench.commands().count("rmvdiskhostmap")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Every channel to the array is taken while an unmapping wants one: set the first event to free them.

    The second is set when it is waiting.
    """
    free, waiting = threading.Event(), threading.Event()
    unmap = As18000.unmap_volume

    def busy(array: As18000, *arguments: Any) -> bool:
        slots = array._ssh._slots
        for _ in range(array.limits.channels):
            slots.acquire()

        def release() -> None:
            free.wait(30)
            for _ in range(array.limits.channels):
                slots.release()

        threading.Thread(target=release, daemon=True).start()
        waiting.set()
        return unmap(array, *arguments)

    monkeypatch.setattr(As18000, "unmap_volume", busy)
    return free, waiting


def test_an_unmapping_that_waits_for_a_slow_array_is_not_sent_after_the_caller_has_left(
    lost: Bench, hasty: None, slow: tuple[threading.Event, threading.Event]
) -> None:
    free, waiting = slow
    lost.reset()
    stub = lost.begin("detach", "vol1", "node2")
    assert waiting.wait(10)
    stub.leave()
    free.set()
    until(lambda: lost.agent.server.calls == 0)
    assert unmaps(lost) == 0
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_an_unmapping_that_waits_for_a_slow_array_too_long_is_not_sent(
    lost: Bench, hasty: None, slow: tuple[threading.Event, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dispatch.PATIENCE, "detach", detach.UNMAP_SECONDS + 2)
    free, waiting = slow
    lost.reset()
    stub = lost.begin("detach", "vol1", "node2")
    assert waiting.wait(10)
    time.sleep(2.5)  # what is left of its time would not do any more
    free.set()
    sentence = stub.reply().failure("Too late to unmap")
    assert "unmapping the volume on array storage-01" in sentence
    assert "caller" not in sentence
    assert unmaps(lost) == 0
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_time_that_another_call_took_is_not_said_to_be_a_caller_that_left(
    lost: Bench, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dispatch.PATIENCE, "detach", detach.UNMAP_SECONDS + 1)
    gate = threading.Event()
    script = lost.helper.script("Attach", gate=gate)
    lost.array.unmap_volume(VolumeName("vol1"), "iscsi-node2")
    attach = lost.begin("waitforattach", "node1", options("vol1"))
    assert script.reached.wait(10)
    stub = lost.begin("detach", "vol1", "node1")
    until(lambda: any("waiting for waitforattach" in line for line in stub.progress))
    time.sleep(1.5)
    gate.set()
    attach.reply().success()
    sentence = stub.reply().failure("Too late to unmap")
    assert "waiting for waitforattach of vol1" in sentence
    assert "has left" not in sentence
    assert lost.maps("vol1") == ["iscsi-node1"]


def test_a_node_that_is_logged_in_by_its_other_host_object_keeps_both_mappings(
    lost: Bench, hasty: None
) -> None:
    lost.make_host("esx-17", OTHER_IQN)
    lost.map("vol1", "esx-17", share=True)
    lost.do("logins", port=OTHER_IQN, nodes=[1])
    lost.configure(host="  objects:\n    node2: esx-17\n")
    lost.call("detach", "vol1", "node2").failure("esx-17 is logged in")
    assert sorted(lost.maps("vol1")) == ["esx-17", "iscsi-node2"]


BUSY = "CMMVC5786E"  # «the cluster is not in a stable state»: its nodes change over


@pytest.fixture
def soon_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "RECENT", 0.2)


def busy_for_a_while(bench: Bench, number: int, seconds: float) -> None:
    bench.do("fault", command="rmvdiskhostmap", error=BUSY, seconds=seconds)
    bench.do("clear", number=number)


def test_a_node_that_comes_back_while_the_array_is_not_stable_keeps_its_volume(
    lost: Bench, hasty: None, soon_old: None
) -> None:
    number = lost.do("fault", command="rmvdiskhostmap", error=BUSY, times=0)
    lost.reset()
    stub = lost.begin("detach", "vol1", "node2")
    until(lambda: unmaps(lost) > 0)
    lost.do("logins", port=IQN, nodes=[1])
    busy_for_a_while(lost, number, 1.0)
    stub.reply().failure("is logged in, so the node lives")
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_a_node_that_stays_away_while_the_array_is_not_stable_is_fenced(
    lost: Bench, hasty: None, soon_old: None
) -> None:
    number = lost.do("fault", command="rmvdiskhostmap", error=BUSY, times=0)
    lost.reset()
    stub = lost.begin("detach", "vol1", "node2")
    until(lambda: unmaps(lost) > 0)
    busy_for_a_while(lost, number, 1.0)
    stub.reply().success()
    assert lost.maps("vol1") == []
    assert lost.commands().count("lshost") > 2


def test_an_unmapping_that_waited_for_a_channel_is_not_sent_to_a_node_that_is_back(
    lost: Bench, hasty: None, soon_old: None, slow: tuple[threading.Event, threading.Event]
) -> None:
    free, waiting = slow
    lost.reset()
    stub = lost.begin("detach", "vol1", "node2")
    assert waiting.wait(10)
    lost.do("logins", port=IQN, nodes=[1])
    time.sleep(0.5)  # the look at it is old by then
    free.set()
    stub.reply().failure("is logged in, so the node lives")
    assert unmaps(lost) == 0
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_the_new_look_needs_no_channel_beside_that_of_the_unmapping(lost: Bench, soon_old: None) -> None:
    """Else as many unmappings as there are channels would wait for one another."""

    def kept(found: fencing.Living) -> Fault:
        raise AssertionError(found.why)

    host, _, port = lost.simulator.address.rpartition(":")
    endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
    client = As18000(endpoint, lost.directory / "known", limits=Limits(channels=1))
    with contextlib.closing(client) as array:
        last = fencing.LastLook(array, ("iscsi-node2",), kept)
        time.sleep(0.3)
        lost.reset()
        last.unmap(VolumeName("vol1"), "iscsi-node2")
    assert lost.commands() == ["lshost", "rmvdiskhostmap"]
    assert lost.maps("vol1") == []
