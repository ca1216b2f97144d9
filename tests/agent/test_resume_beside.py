"""`instoragectl barrier resume`, as a process, beside the agent at work, another one of it and a kill."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from tests.agent.bench import GIB, NODE, device_target, options, pod_target, until
from tests.agent.expanding import VOLUME, Pair
from tests.agent.resuming import Resumes
from tests.soak import WHOLE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.agent.call import Stub

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
LEASE = 3.0  # seconds: a slow machine comes to the step before it runs out
KILLED_AT = NINE[2:] if WHOLE else (Step.GROW_AUX, Step.TIE, Step.AUX_CHANGE)


@pytest.fixture
def resumes(pair: Pair) -> Iterator[Resumes]:
    """An expansion that broke off at its third step, and who finishes it."""
    pair.break_off()
    pair.age()
    pair.bench.reset()
    made = Resumes(pair.bench)
    yield made
    made.close()


def waits(call: Stub) -> None:
    until(lambda: any("waiting for the host lock" in line for line in call.progress))


class Held:
    """A resume that waits between the record of a step and its command."""

    def __init__(
        self, pair: Pair, resumes: Resumes, step: Step = Step.GROW_AUX, lease: float = 180.0
    ) -> None:
        self._gate, at = threading.Event(), threading.Event()

        def hold() -> None:
            at.set()
            assert self._gate.wait(40)

        pair.bench.helper.before[step] = hold
        self.process: subprocess.Popen[str] = resumes.start(lease=lease)
        assert at.wait(20)

    def go_on(self) -> None:
        self._gate.set()


def changes(pair: Pair) -> list[str]:
    return [name for name in pair.bench.commands() if not name.startswith("ls")]


def test_what_attaches_and_detaches_waits_for_it_and_what_does_neither_goes_on(
    pair: Pair, resumes: Resumes
) -> None:
    bench = pair.bench
    pair.bench.helper.barrier.unlink()  # by hand, so that these are in use
    for name in ("left", "grown", "comes"):
        bench.create(name)
    bench.use("grown")
    bench.attach("left").success()
    bench.mount_device("left").success()
    bench.reset()
    held = Held(pair, resumes)
    calls = {
        "waitforattach": bench.begin("waitforattach", NODE, options("comes")),
        "unmountdevice": bench.begin("unmountdevice", device_target("left")),
    }
    pair.expand().failure("an expansion may have been broken off")
    bench.expandfs("grown", 2 * GIB).success()
    bench.call("unmount", pod_target("grown")).success()
    bench.call("mount", pod_target("grown"), options("grown")).success()
    for call in calls.values():
        waits(call)
    assert not any(call.answered for call in calls.values())
    assert changes(pair) == ["expandvdisksize"], "of the volume that is not active-active"
    assert device_target("left") in bench.helper.mounts
    held.go_on()
    assert "is whole" in resumes.end(held.process)
    for call in calls.values():
        call.reply(40).success()
    resumed = [name for name in changes(pair) if "hostmap" not in name]
    assert changes(pair)[: len(resumed)] == resumed, "nothing was mapped or unmapped in between"
    assert bench.maps("comes")
    assert not bench.maps("left")
    pair.assert_whole()


def test_while_the_barrier_file_says_that_it_runs_calls_wait_and_do_not_say_that_it_was_broken_off(
    pair: Pair, resumes: Resumes
) -> None:
    held = Held(pair, resumes)
    pair.bench.create("comes")
    call = pair.bench.begin("waitforattach", NODE, options("comes"))
    until(lambda: any(f"expansion of volume {VOLUME} is under way" in line for line in call.progress))
    held.go_on()
    call.reply(40).success()
    resumes.end(held.process)
    pair.assert_whole()


def test_a_second_one_does_nothing_while_the_first_is_at_it_and_nothing_afterwards(
    pair: Pair, resumes: Resumes
) -> None:
    held = Held(pair, resumes)
    hasty, patient = resumes.start(wait=0.2), resumes.start(wait=30)
    assert "The host lock is held" in resumes.end(hasty)
    assert hasty.returncode == 1
    held.go_on()
    assert "is whole" in resumes.end(held.process)
    assert "nothing is to be done" in resumes.end(patient)
    assert (held.process.returncode, patient.returncode) == (0, 0)
    assert len(changes(pair)) == len(NINE) - 2, changes(pair)
    pair.assert_whole()


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_kill_stops_the_node_and_the_next_one_finishes(pair: Pair, resumes: Resumes, step: Step) -> None:
    bench = pair.bench
    held = Held(pair, resumes, step)
    resumes.kill(held.process)
    held.go_on()
    until(lambda: bench.helper.locks == 0)
    assert not bench.helper.frozen(pair.uid)
    bench.create("comes")
    bench.attach("comes").failure("was broken off on this host")
    bench.call("unmountdevice", device_target(VOLUME)).failure("was broken off on this host")
    pair.expand().failure("broken off")
    assert not bench.maps("comes")
    pair.age()
    assert "is whole" in resumes.end(resumes.start())
    assert pair.syncs() == 0
    bench.attach("comes").success()
    pair.expand().success()
    pair.assert_whole()


def test_an_agent_that_starts_and_tidies_up_meanwhile_leaves_it_alone(
    pair: Pair, resumes: Resumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = pair.bench
    bench.helper.barrier.unlink()
    bench.create("left")
    bench.attach("left").success()  # and mounted nowhere
    held = Held(pair, resumes)
    monkeypatch.setattr("nodeagent.expansion.interrupted.LOCK_SECONDS", 0.2)
    bench.rest = 0.2
    bench.restart()
    assert bench.agent._node.locks.busy("left") or until(lambda: bench.agent._node.locks.busy("left"))
    assert pair.record.state == "running"
    assert bench.maps("left")
    held.go_on()
    assert "is whole" in resumes.end(held.process)
    until(lambda: not bench.maps("left"))
    pair.assert_whole()


def test_one_that_was_suspended_for_long_changes_nothing_after_another_has_finished(
    pair: Pair, resumes: Resumes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-Z, and `fg` after the lease of its host lock."""
    held = Held(pair, resumes, lease=LEASE)
    resumes.suspend(held.process)
    time.sleep(LEASE + 0.2)  # until it has run out
    pair.age()
    assert "is whole" in resumes.end(resumes.start())
    pair.assert_whole()
    pair.bench.reset()
    held.go_on()
    resumes.go_on(held.process)
    said = resumes.end(held.process)
    assert held.process.returncode == 1
    assert "its host lock is lost" in said
    assert changes(pair) == []
    pair.assert_whole()


def test_one_that_was_suspended_does_not_write_over_the_record_of_who_went_on(
    pair: Pair, resumes: Resumes
) -> None:
    first = Held(pair, resumes, lease=LEASE)
    resumes.suspend(first.process)
    time.sleep(LEASE + 0.2)
    pair.age()
    second = Held(pair, resumes, Step.TIE)
    before = dict(pair.bench.helper.kept)
    first.go_on()
    resumes.go_on(first.process)
    assert "went on" in resumes.end(first.process) or first.process.returncode == 1
    assert pair.bench.helper.kept == before
    second.go_on()
    assert "is whole" in resumes.end(second.process)
    pair.assert_whole()
