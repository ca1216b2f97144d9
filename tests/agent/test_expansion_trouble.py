"""expandfs of an active-active volume whose steps fail, whose lock, lease, helper or answers are lost.

The array is simulated behind real SSH and keeps two contents; the helper is scripted, its leases are real.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from nodeagent.expansion import guard
from tests.agent.bench import GIB, device_target, until
from tests.agent.expanding import COMMAND, VOLUME, Pair, left_of
from tests.agent.helper_peer import FaultError
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def array_refuses(pair: Pair, step: Step) -> None:
    pair.bench.do("fault", command=COMMAND[step], error="CMMVC5982E")


def array_is_lost(pair: Pair, step: Step) -> None:
    pair.bench.do("fault", command=COMMAND[step], before="connection")
    pair.bench.do("fault", command="ls*", before="connection", times=0)


def helper_dies(pair: Pair, step: Step) -> None:
    raise ConnectionError  # the record is on the disk, its answer does not come


def helper_dies_in_the_command(pair: Pair, step: Step) -> None:
    pair.bench.do("fault", command=COMMAND[step], delay=0.4)
    threading.Timer(0.2, pair.bench.helper.drop).start()


TROUBLES = (array_refuses, array_is_lost, helper_dies, helper_dies_in_the_command)

EVERY = [(step, trouble) for step in NINE for trouble in TROUBLES]

COVERING = [
    (step, trouble)
    for step, trouble in EVERY
    if step is Step.TIE or trouble is TROUBLES[step.number % len(TROUBLES)]
]


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        pytest.param(step, trouble, id=f"{step}-{trouble.__name__}")
        for step, trouble in (EVERY if WHOLE else COVERING)
    ],
)
def test_trouble_at_a_step_is_explained_and_finished_by_one_command(
    pair: Pair, step: Step, trouble: Callable[[Pair, Step], None]
) -> None:
    bench = pair.bench
    bench.helper.before[step] = partial(trouble, pair, step)
    if (step, trouble) == (NINE[-1], helper_dies_in_the_command):  # all was done, and is proven
        pair.expand().failure("try again")
        assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
        return pair.assert_whole()
    said = pair.expand().failure("broke off at")
    assert "instoragectl barrier plan" in said
    until(lambda: not bench.helper.frozen(pair.uid), 2)
    bench.do("clear")
    reached = step.number + (trouble is helper_dies_in_the_command)
    assert pair.record.state == "failed"
    assert pair.record.answered == (trouble is not array_is_lost), "resume would wait for what was never sent"
    assert (
        f"step {pair.record.step.number if pair.record.step else 0} of 9" in bench.helper.barrier.read_text()
    )
    told = pair.left()
    if told[0] is not Step.UNTIE or reached == 1:
        assert told == left_of(NINE[reached - 1])
    else:  # the relationship was made, and nobody can vouch for the copies
        assert Step.TIE in told
        assert trouble is helper_dies_in_the_command
        assert step is Step.TIE
    bench.create("other")
    bench.attach("other").failure(str(bench.helper.barrier))
    bench.call("unmountdevice", device_target(VOLUME)).failure(str(bench.helper.barrier))
    pair.expand().failure("instoragectl barrier plan")
    for command in bench.array.expansion_plan(pair.record).commands:
        assert command.command in pair.plan()
    _ends_whole(pair)


def _ends_whole(pair: Pair) -> None:
    untouched = pair.bench.array.expansion_plan(pair.record).untouched
    pair.age()
    pair.bench.reset()
    said = pair.resume()
    assert "kubelet's next try grows the file system" in said
    assert pair.syncs() == (1 if untouched else 0)
    pair.bench.reset()
    assert "nothing is to be done" in pair.resume()
    assert all(name.startswith("ls") for name in pair.bench.commands())
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    assert pair.bench.helper.filesystems[pair.uid] == 2 * GIB
    pair.assert_whole()


@pytest.mark.parametrize("verb", ["Thaw", "Barrier"])
def test_a_lost_lock_leaves_nothing_frozen_and_what_went_wrong_recorded(pair: Pair, verb: str) -> None:
    bench = pair.bench
    lost = FaultError("lock-lost", "The lease of the host lock is over.")

    def trouble() -> None:
        array_refuses(pair, Step.GROW_AUX)
        bench.helper.script(verb, fault=lost)

    bench.helper.before[Step.GROW_AUX] = trouble
    seen: list[bool] = []
    bench.helper._seen = lambda name: (
        seen.append(bench.helper.frozen(pair.uid)) if name == "Barrier" else None
    )
    pair.expand().failure("step 3 of 9")
    until(lambda: not bench.helper.frozen(pair.uid), 2)
    assert not seen[-1], "still frozen when the failure is written"
    assert pair.record.state == "failed"
    assert "was broken off" in bench.helper.barrier.read_text()


def test_the_barrier_says_to_a_person_what_was_done_what_failed_and_what_is_left(pair: Pair) -> None:
    bench = pair.bench
    bench.helper.before[Step.GROW_MASTER_CHANGE] = partial(array_refuses, pair, Step.GROW_MASTER_CHANGE)
    pair.expand().failure()
    text = bench.helper.barrier.read_text()
    for part in (
        "The active-active expansion of volume vol1 was broken off.",
        f"UID {pair.uid}",
        "array storage-01",
        "step 4 of 9 (expand-master-change)",
        "sent before: rmrcrelationship, expand-master, expand-aux",
        "CMMVC5982E",
        f"    mcsop expandvdisksize -size 1 -unit gb {pair.names['master_change']}\n",
        "instoragectl barrier resume vol1",
        "never with -sync",
    ):
        assert part in text
    assert bench.helper.barriers[1:] == [text], "written once more, at its end"


@pytest.mark.parametrize("step", NINE)
def test_a_thaw_by_somebody_else_never_leads_to_a_sync_over_different_copies(pair: Pair, step: Step) -> None:
    pair.bench.helper.before[step] = lambda: pair.bench.helper.thaw_by_hand(pair.uid)
    pair.expand().success()
    assert pair.syncs() == (0 if step.number < Step.TIE.number else 1)
    pair.assert_whole()


def test_a_lease_that_runs_out_counts_as_a_thaw(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(guard, "STEP_SECONDS", 0.0)
    pair.bench.do("fault", command="expandvdisksize", delay=0.5)
    pair.expand().success()
    assert pair.syncs() == 0
    pair.assert_whole()


def test_a_lease_counts_from_before_it_was_asked_for(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LEASE_SECONDS", 3.0)
    monkeypatch.setattr(guard, "STEP_SECONDS", 0.0)
    gate = threading.Event()
    pair.bench.helper.script("Freeze")
    late = pair.bench.helper.script("Freeze", gate=gate)  # its answer comes when a command has no time left
    call = pair.begin()
    assert late.reached.wait(10)
    assert not gate.wait(1.5)
    gate.set()
    call.reply(30).success()
    assert pair.syncs() == 0
    pair.assert_whole()


def test_a_slow_array_does_not_outlast_the_lease(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LEASE_SECONDS", 3.0)
    monkeypatch.setattr(guard, "STEP_SECONDS", 2.5)
    pair.bench.do("fault", command="expandvdisksize", delay=0.8, times=4)
    pair.expand().success()
    assert pair.syncs() == 1
    pair.assert_whole()


def test_a_lost_answer_to_the_sync_is_looked_for_and_the_copies_are_equal(pair: Pair) -> None:
    pair.bench.helper.before[Step.TIE] = lambda: pair.bench.do(
        "fault", command="mkrcrelationship", after="connection"
    )
    pair.expand().success()
    pair.assert_whole()
