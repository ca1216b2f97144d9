"""What happens at whichever of the nine steps of an expansion, and how it is finished.

Real SSH to the simulated array, which keeps two contents: a wrong `-sync` would be seen as different data.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from instorage.wire.fault import Fault
from tests.arrays.conftest import GIB
from tests.arrays.expanding import AA, COMMAND, Volume, volume
from tests.arrays.host import in_child, killed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.expansion import Expansion, Plan
    from tests.arrays.host import Host

__all__ = ["volume"]
pytestmark = pytest.mark.slow  # 79 whole expansions


def _told(plan: Plan) -> list[Step]:
    assert plan.questions == ()
    return [planned.step for planned in plan.commands]


def _expected(step: Step, *, done: bool) -> list[Step]:
    """What is left when the run ended at `step`, before or after the array did it."""
    left = list(NINE[step.number if done else step.number - 1 :])
    if step is Step.TIE and done:
        return [Step.UNTIE, Step.TIE, *left]
    return left


@pytest.mark.parametrize("step", NINE)
def test_a_step_that_the_array_refuses(volume: Volume, step: Step) -> None:
    host = volume.host
    host.before[step] = lambda: volume.rig.fault(COMMAND[step], error="CMMVC5982E")
    with pytest.raises(Fault, match=rf"step {step.number} of 9 \({step}\).*not valid given"):
        volume.expand()
    assert not host.frozen
    assert host.calls[-1] == "thaw"
    assert "not valid given" in volume.record.failure
    assert _told(volume.plan()) == _expected(step, done=False)
    _finish(volume, step)


@pytest.mark.parametrize("step", NINE)
def test_an_answer_that_is_lost_is_looked_for_and_the_expansion_goes_on(volume: Volume, step: Step) -> None:
    volume.host.before[step] = lambda: volume.rig.fault(COMMAND[step], after="connection")
    volume.expand()
    assert len(volume.operations()) == 9
    volume.assert_whole()


@pytest.mark.parametrize("done", [True, False], ids=["after the work", "before the work"])
@pytest.mark.parametrize("step", NINE)
def test_an_array_that_is_lost_in_a_step(volume: Volume, step: Step, done: bool) -> None:
    def lose() -> None:
        volume.rig.fault(COMMAND[step], **{"after" if done else "before": "connection"})
        volume.rig.fault("ls*", before="connection", times=0)

    volume.host.before[step] = lose
    with pytest.raises(Fault, match=rf"step {step.number} of 9"):
        volume.expand()
    assert not volume.host.frozen
    volume.rig.do("clear")
    assert _told(volume.plan()) == _expected(step, done=done)
    _finish(volume, step, done=done)


@pytest.mark.parametrize("done", [True, False], ids=["after the work", "before the work"])
@pytest.mark.parametrize("step", NINE)
def test_a_process_that_is_killed_at_a_step(volume: Volume, step: Step, done: bool, tmp_path: Path) -> None:
    def child() -> None:
        host = volume.new_host(tmp_path)
        (host.after if done else host.before)[step] = killed
        volume.client().expand_active_active(AA, 2 * GIB, host=volume.host_object, guard=host)

    assert in_child(child) == 9
    volume.host.gone()
    assert volume.record.state == "running"
    assert _told(volume.plan()) == _expected(step, done=done)
    _finish(volume, step, done=done)


@pytest.mark.parametrize("step", NINE)
def test_a_file_system_that_somebody_thaws_at_a_step(volume: Volume, step: Step) -> None:
    volume.host.before[step] = volume.host.thawed_by_somebody
    volume.expand()
    assert len(volume.syncs()) == (0 if step.number < Step.TIE.number else 1)
    volume.assert_whole()


@pytest.mark.parametrize("seed", range(16))
def test_several_things_one_after_the_other_in_the_expansion_and_in_each_resume(
    volume: Volume, seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    for attempt in range(4):
        found = volume.host.record
        seeds = dice.random()

        def child(attempt: int = attempt, found: Expansion | None = found, seeds: float = seeds) -> None:
            host = volume.new_host(tmp_path)
            _arm(volume, host, random.Random(seeds))
            if found is not None:
                volume.client().resume_expansion(replace(found, sent=0), host)
            elif attempt == 0 or volume.sizes() == {GIB}:
                volume.client().expand_active_active(AA, 2 * GIB, host=volume.host_object, guard=host)

        in_child(child)
        volume.host.gone()
        volume.rig.do("clear")
    if volume.host.record is not None:
        volume.resume()
    volume.expand()  # if nothing was done at all
    volume.assert_whole()


def _arm(volume: Volume, host: Host, dice: random.Random) -> None:
    """Let two things happen at random steps, and say nothing about which."""
    for step in dice.sample(NINE, 2):
        fault = partial(volume.rig.fault, COMMAND[step])
        troubles: list[Callable[[], None]] = [
            partial(fault, error="CMMVC5982E"),
            partial(fault, error="CMMVC5786E"),
            partial(fault, before="connection"),
            partial(fault, after="connection"),
            host.thawed_by_somebody,
            killed,
        ]
        host.before[step] = dice.choice(troubles)
        if dice.random() < 0.3:
            host.after[step] = killed


def _finish(volume: Volume, step: Step, *, done: bool = False) -> None:
    """Resume: the original picture, both copies equal, and never -sync over different copies."""
    record = volume.record
    volume.write("before the resume.")
    volume.rig.reset()
    volume.resume()
    untouched = step is Step.UNTIE and record.answered and not done  # else nobody can tell
    proven = step.number > Step.TIE.number  # the relationship was made under the freeze
    assert len(volume.syncs()) == (1 if untouched else 0)
    assert len([o for o in volume.operations() if "mkrc" in o]) == (0 if proven else 1)
    volume.assert_whole()
    volume.rig.reset()
    volume.resume(volume.host.last or record)
    assert volume.operations() == []
    volume.assert_whole()
