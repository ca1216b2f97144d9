"""The agent killed at each of its steps of growth: the same call converges, or the barrier says what is left.

The agent is a process of its own, the array is simulated, the helper scripted.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import GIB, until
from tests.agent.expanding import Pair
from tests.agent.growing import sent_long_ago
from tests.agent.test_finished_by_hand import by_hand, grows
from tests.crash.table import AgentStep, Step
from tests.crash.test_agent_points import EXPANDS, GROWS
from tests.crash.victim import VOLUME, Victim, agent

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["agent"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


@pytest.mark.parametrize("step", GROWS)
def test_the_same_growth_again_converges_and_adds_nothing_twice(agent: Victim, step: Step) -> None:
    bench = agent.bench
    agent.start()
    uid = bench.create(VOLUME)
    bench.use(VOLUME)
    bench.reset()
    agent.arm(step)
    bench.begin_expandfs(VOLUME, 2 * GIB)
    agent.dies()
    agent.start()
    assert bench.expandfs(VOLUME, 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB
    assert bench.commands().count("expandvdisksize") == 1
    assert bench.size(uid) == bench.helper.filesystems[uid] == bench.records()[uid]["size"] == 2 * GIB
    assert not bench.helper.kept


def test_an_agent_that_dies_directly_before_it_tells_the_array_adds_it_later(agent: Victim) -> None:
    bench = agent.bench
    agent.start()
    uid = bench.create(VOLUME)
    bench.use(VOLUME)
    agent.arm(AgentStep.AGENT_EXPAND_NOTED)
    bench.begin_expandfs(VOLUME, 2 * GIB)
    agent.dies()
    agent.start()
    bench.expandfs(VOLUME, 2 * GIB).failure("may still be under way")
    assert bench.size(uid) == GIB
    agent.service.processes[-1].kill()
    agent.service.processes[-1].wait(10)
    sent_long_ago(bench, uid)
    agent.start()
    assert bench.expandfs(VOLUME, 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB
    assert bench.commands().count("expandvdisksize") == 1


@pytest.fixture
def pair(agent: Victim, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """An active-active volume that a pod of the victim's node uses."""
    monkeypatch.setenv("INSTORAGE_HELPER_SOCKET", str(directory / "helper.sock"))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory / "state"))
    monkeypatch.setattr("nodeagent.administration.barrier.leave_root", lambda _: None)
    agent.start()
    return Pair(agent.bench)


@pytest.mark.parametrize("step", EXPANDS)
def test_an_expansion_is_thawed_and_either_over_or_explained(agent: Victim, pair: Pair, step: Step) -> None:
    bench = agent.bench
    agent.arm(step)
    pair.begin()
    agent.dies()
    until(lambda: bench.helper.locks == 0)
    assert not bench.helper.frozen(pair.uid)
    agent.start()
    if step in (AgentStep.AGENT_EXPAND_BARRIER, AgentStep.AGENT_EXPAND_FROZEN, AgentStep.AGENT_EXPAND_THAWED):
        assert pair.record.state == "failed"
        pair.expand().failure(str(bench.helper.barrier))
        assert "is whole" in pair.resume()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    pair.assert_whole()


def test_an_agent_that_dies_when_it_has_forgotten_what_was_finished_by_hand(
    agent: Victim, pair: Pair
) -> None:
    pair.break_off()
    agent.bench.do("clear")
    by_hand(pair)
    agent.arm(AgentStep.AGENT_EXPAND_FORGOTTEN)
    pair.begin()
    agent.dies()
    agent.start()
    grows(pair)


def test_an_agent_that_dies_while_it_says_what_was_broken_off(agent: Victim, pair: Pair) -> None:
    agent.arm(AgentStep.AGENT_EXPAND_BARRIER)
    pair.begin()
    agent.dies()
    agent.arm(AgentStep.AGENT_EXPAND_BROKEN_OFF)
    agent.service.notified.settimeout(3)
    with pytest.raises(TimeoutError):
        agent.start()
    assert agent.service.processes[-1].wait(10) == -signal.SIGKILL
    agent.service.notified.settimeout(20)
    agent.start()
    assert pair.record.state == "failed"
    assert "was broken off" in agent.bench.helper.barrier.read_text()
    assert "is whole" in pair.resume()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    pair.assert_whole()
