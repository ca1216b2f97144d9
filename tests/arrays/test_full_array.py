"""The array has 32 SSH sessions for everybody, and closes one too many right after its login."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage import operation
from instorage.arrays.endpoint import Limits
from instorage.arrays.model import Initiator
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from simulator.face.limits import Limits as ArrayLimits
from tests.arrays.conftest import LIMITS, V1, settled, spec
from tests.figures import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arrays.conftest import Rig

ONE = ArrayLimits(active=1)


def attach(rig: Rig, number: int, limits: Limits) -> float:
    """What a node asks in an attach, in one call each and without a second try; returns the seconds."""
    array, host = rig.client(limits=limits), f"iscsi-n{number}"
    initiator = Initiator(iqn=Iqn(f"iqn.1993-08.org.debian:01:n{number}"))
    began = time.monotonic()
    assert array.find_volume(VolumeName(f"v{number}")) is not None
    array.ensure_host(initiator, link="iscsi", names=(host,))
    array.map_volume(VolumeName(f"v{number}"), host)
    return time.monotonic() - began


@pytest.mark.slow
def test_twice_as_many_nodes_as_sessions_all_succeed_in_one_call_each(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ArrayLimits(active=4))
    maker = rig.client()
    for number in range(8):
        maker.create_volume(spec(f"v{number}"))
    maker.close()
    with ThreadPoolExecutor(8) as pool:
        took = list(pool.map(lambda number: attach(rig, number, replace(LIMITS, idle=1.0)), range(8)))
    assert max(took) < 30
    assert rig.do("counters")["connections"]["refused"] > 0


def test_a_full_array_is_waited_for_and_the_first_free_session_is_used(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ONE)
    holder = rig.client(limits=replace(LIMITS, idle=60))
    holder.create_volume(spec("v1"))
    waiting = rig.client()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(waiting.find_volume, V1)
        assert settled(lambda: rig.do("counters")["connections"]["refused"] >= 3)
        assert not answer.done()
        holder.close()
        assert answer.result(20) is not None


def test_who_waited_until_the_end_of_its_call_is_told_who_may_hold_the_sessions(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(limits=ONE)
    rig.client(limits=replace(LIMITS, idle=60)).create_volume(spec("v1"))
    began = time.monotonic()
    with pytest.raises(Fault, match=r"All SSH sessions of array storage-01 .* are taken") as caught:
        rig.client(limits=replace(LIMITS, call=2.0)).find_volume(V1)
    assert 1.0 < time.monotonic() - began < 12
    assert caught.value.code is Code.ARRAY_SESSIONS
    assert "catauditlog" in caught.value.sentence
    assert "provisioners" in caught.value.sentence


def test_a_call_that_has_little_time_left_does_not_wait_longer_for_a_session(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(limits=ONE)
    rig.client(limits=replace(LIMITS, idle=60)).create_volume(spec("v1"))
    array = rig.client()
    began = time.monotonic()
    with operation.within(0.8), pytest.raises(Fault) as caught:
        array.find_volume(V1)
    assert caught.value.code is Code.ARRAY_SESSIONS
    assert time.monotonic() - began < 10


def test_a_command_that_was_not_sent_for_want_of_a_session_is_no_unknown_outcome(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(limits=ONE)
    rig.client(limits=replace(LIMITS, idle=60)).create_volume(spec("v1"))
    with operation.within(0.8), pytest.raises(Fault) as caught:
        rig.client().delete_volume(V1)
    assert caught.value.code is Code.ARRAY_SESSIONS
    assert rig.volume_names() == ["v1"]


def test_a_volume_whose_making_cannot_be_seen_for_want_of_a_session_is_an_unknown_outcome(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(limits=ONE)
    rig.fault("mkvdisk", after="connection", delay_after=0.5)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(rig.client(limits=replace(LIMITS, call=2.0)).create_volume, spec("v1"))
        assert settled(lambda: rig.volume_names() == ["v1"])
        rig.simulator._server._gate._active += 5  # sessions of somebody's GUI
        with pytest.raises(Fault, match="may have been done or not") as caught:
            making.result(20)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert "SSH sessions" in caught.value.sentence


def test_a_full_array_has_refused_no_password(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ONE)
    holder = rig.client(limits=replace(LIMITS, idle=60))
    holder.create_volume(spec("v1"))
    array = rig.client(limits=replace(LIMITS, call=1.0))
    with pytest.raises(Fault):
        array.find_volume(V1)
    holder.close()
    assert settled(lambda: rig.do("counters")["connections"]["now"] == 0)
    array.limits = LIMITS
    assert array.find_volume(V1) is not None, "no pause as after a refused password"


def test_one_of_many_threads_knocks_at_a_full_array_and_all_are_served(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ONE)
    holder = rig.client(limits=replace(LIMITS, idle=60))
    holder.create_volume(spec("v1"))
    rig.reset()
    array = rig.client()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(array.find_volume, V1) for _ in range(8)]
        assert settled(lambda: rig.do("counters")["connections"]["refused"] >= 2)
        knocks = rig.do("counters")["passwords"]["opened"]
        assert knocks <= 6, "eight threads at once would be many more"
        holder.close()
        assert all(answer.result(20) for answer in answers)


def test_a_client_that_had_to_wait_gives_its_session_back_at_once(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ONE)
    holder = rig.client(limits=replace(LIMITS, idle=60))
    holder.create_volume(spec("v1"))
    patient = rig.client(limits=replace(LIMITS, idle=60))
    threading.Timer(0.5, holder.close).start()
    assert patient.find_volume(V1) is not None
    assert settled(lambda: rig.do("counters")["connections"]["now"] == 0, 3.0)


@pytest.mark.slow
def test_a_burst_that_the_array_drops_before_the_login_is_no_failure_of_a_call(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(limits=ArrayLimits(burst=1, rate=8.0))
    rig.client().create_volume(spec("v1"))
    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(lambda _: rig.client().find_volume(V1), range(5)))
    assert rig.do("counters")["connections"]["refused"] > 3


@pytest.mark.measured
@pytest.mark.slow
def test_a_hundred_nodes_that_boot_together_are_served_within_half_a_minute(
    make_rig: Callable[..., Rig], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before: 44 nodes with an array's 32 sessions, the last after 92.8 s."""
    rig = make_rig(limits=ArrayLimits())
    maker = rig.client()
    for number in range(100):
        maker.create_volume(spec(f"v{number}"))
    maker.close()
    rig.fault("*", delay=0.3, times=0)  # as an array takes it, so that sessions are really held
    rig.reset()
    ready = threading.Barrier(101)

    def node(number: int) -> float:
        ready.wait(30)
        return attach(rig, number, Limits())

    def provisioner() -> float:
        array = rig.client(limits=Limits())
        ready.wait(30)
        began = time.monotonic()
        array.create_volume(spec("made", pools=("Pool1",)))
        return time.monotonic() - began

    with ThreadPoolExecutor(101) as pool:
        making = pool.submit(provisioner)
        took = sorted(pool.map(node, random.sample(range(100), 100)))
    counters = rig.do("counters")
    with capsys.disabled():
        print(
            f"\n100 nodes on 32 sessions: half after {took[49]:.1f} s, 90 after {took[89]:.1f} s, the last "
            f"after {took[-1]:.1f} s; the provisioner after {making.result():.1f} s; "
            f"at most {counters['connections']['peak']} connections at a time, "
            f"{counters['passwords']['opened']} logins, {counters['connections']['refused']} turned away"
        )
    for share in (50, 90, 100):
        note("nodes", "100 nodes at once on 32 sessions, percent served", took[share - 1], "s", at=share)
    note("nodes", "the last of 100 nodes", took[-1], "s", 30.0)
    assert took[-1] < 30
    assert making.result() < 30
