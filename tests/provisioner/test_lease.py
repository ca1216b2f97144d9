"""Who works, whatever the clocks of the hosts say: clocks that a test sets, and an API server in memory."""

from __future__ import annotations

import copy
import datetime
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cluster import Refusal
from provisioner.lease import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, STEADY, Lease
from provisioner.service import SLACK

if TYPE_CHECKING:
    from provisioner.cluster import Cluster

TAKE_OVER = 20.0  # seconds, of the requirement


class Leases:
    """The API server's one lease, with its resource versions."""

    def __init__(self) -> None:
        self.found: dict[str, Any] | None = None
        self.looks = 0

    def get(self, _path: str) -> Any:
        self.looks += 1
        return copy.deepcopy(self.found)

    def create(self, _path: str, body: dict[str, Any]) -> Any:
        return self._put(body, 0)

    def replace(self, _path: str, body: dict[str, Any]) -> Any:
        if self.found is None:
            raise Refusal(404, "gone")
        version = int(self.found["metadata"]["resourceVersion"])
        if str(version) != body["metadata"]["resourceVersion"]:
            raise Refusal(409, "changed")
        return self._put(body, version)

    def _put(self, body: dict[str, Any], version: int) -> Any:
        self.found = copy.deepcopy(body)
        self.found["metadata"]["resourceVersion"] = str(version + 1)
        return copy.deepcopy(self.found)


@dataclass
class Time:
    """True time, and how each host's wall clock differs from it."""

    now: float = 1_000_000.0
    wrong: dict[str, float] = field(default_factory=dict)

    def wall(self, host: str) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.now + self.wrong.get(host, 0.0), datetime.UTC)


class Host:
    """A provisioner's lease on one host; its steady clock began at some other time."""

    def __init__(self, leases: Leases, time: Time, name: str) -> None:
        began = random.uniform(0, 1e6)
        steady, date = lambda: time.now - began, lambda: time.wall(name)
        self._lease = Lease(cast("Cluster", leases), "kube-system", "inspur", name, steady, date)
        self.take = self._lease.take

    @property
    def past(self) -> bool:
        return self._lease.past


@pytest.fixture
def time() -> Time:
    return Time()


class Pair:
    """One that works and renews until it is killed, and one that waits."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.leases = Leases()
        self.leader = Host(self.leases, time, "leader")
        self.waiting = Host(self.leases, time, "waiting")
        assert self.leader.take() == 0.0
        self.renewal = time.now + RENEW_SECONDS
        self.look = time.now

    def run(self, until: float, *, alive: bool = True, jitter: float = 0.02) -> bool:
        """Let time pass; True when the one that waits has taken over."""
        while True:
            due = min(self.look, self.renewal if alive else self.look)
            if due > until:
                self.time.now = until
                return False
            self.time.now = due
            if alive and due == self.renewal:
                assert self.leader.take() == 0.0, "it holds the lease"
                self.renewal = due + RENEW_SECONDS + jitter
            else:
                left = self.waiting.take()
                if left == 0.0:
                    return True
                self.look = due + left + SLACK


@pytest.mark.parametrize("wrong", [0.0, 3600.0, -3600.0, 8.0, -8.0, 86400.0 * 400])
def test_a_dead_one_is_followed_in_time_whatever_its_clock_said(time: Time, wrong: float) -> None:
    time.wrong["leader"] = wrong
    pair = Pair(time)
    pair.look = time.now + 1.3
    assert not pair.run(time.now + 200)
    killed = time.now
    assert pair.run(killed + 60, alive=False)
    assert time.now - killed < TAKE_OVER + 2
    assert time.now - killed > LEASE_SECONDS - RENEW_SECONDS - 0.1


@given(look=st.floats(0, 4.99), life=st.floats(0.1, 100) | st.floats(100, 900))
def test_with_clocks_that_agree_it_is_followed_within_twenty_seconds(look: float, life: float) -> None:
    time = Time()
    pair = Pair(time)
    pair.look += look
    pair.run(pair.look + life)
    killed = time.now
    assert pair.run(killed + 60, alive=False)
    assert time.now - killed < TAKE_OVER


@given(
    steps=st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=40),
    first=st.floats(0, 5),
    jitter=st.floats(0, 4.5),
)
def test_one_that_renews_is_never_followed_whatever_its_clock_does(
    steps: list[float], first: float, jitter: float
) -> None:
    time = Time()
    pair = Pair(time)
    pair.look = time.now + first
    for step in steps:
        time.wrong["leader"] = step
        assert not pair.run(time.now + 7, jitter=jitter)


def test_one_of_an_older_version_that_writes_no_steady_clock_is_followed_too(time: Time) -> None:
    time.wrong["leader"] = 7200.0
    pair = Pair(time)
    pair.run(time.now + 30)
    found = pair.leases.found
    assert found is not None
    del found["metadata"]["annotations"][STEADY]
    assert pair.run(time.now + 2 * LEASE_SECONDS + 2 * SLACK, alive=False)


def test_a_note_on_the_lease_of_a_dead_one_does_not_keep_it_alive(time: Time) -> None:
    pair = Pair(time)
    pair.run(time.now + 30)
    killed = time.now
    while not pair.run(time.now + 3, alive=False):
        found = pair.leases.found
        assert found is not None
        found["metadata"]["annotations"]["noted"] = str(time.now)
        assert time.now - killed < TAKE_OVER


def test_one_that_waits_looks_once_in_fifteen_seconds(time: Time) -> None:
    pair = Pair(time)
    pair.run(time.now + 60)
    before = pair.leases.looks
    pair.run(time.now + 3600)
    assert pair.leases.looks - before <= 3600 / LEASE_SECONDS + 1


def noted(leases: Leases) -> None:
    """Somebody writes to the lease, and means nothing by it."""
    assert leases.found is not None
    leases.found["metadata"]["annotations"]["noted"] = "here"
    leases.found["metadata"]["resourceVersion"] += "0"


def test_a_note_on_a_lease_that_is_held_does_not_end_the_work(time: Time) -> None:
    leases = Leases()
    leader = Host(leases, time, "leader")
    assert leader.take() == 0.0
    noted(leases)
    assert leader.take() > 0.0
    assert not leader.past
    assert leader.take() == 0.0


@pytest.mark.parametrize("was_there", [True, False])
def test_the_work_begins_anew_when_etcd_was_restored_under_it_however_quickly(
    time: Time, was_there: bool
) -> None:
    """Its watches go on from versions that the server has reached again, and never tell."""
    leases = Leases()
    leader = Host(leases, time, "leader")
    assert leader.take() == 0.0
    kept = copy.deepcopy(leases.found) if was_there else None
    time.now += RENEW_SECONDS
    assert leader.take() == 0.0
    leases.found = kept
    if was_there:
        noted(leases)
    time.now += RENEW_SECONDS
    while (left := leader.take()) == RETRY_SECONDS and not leader.past:
        time.now += left
    assert leader.past
    assert leader.take() == 0.0
    assert not leader.past
    time.now += RENEW_SECONDS
    assert leader.take() == 0.0, "once"
