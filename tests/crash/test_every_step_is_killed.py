"""Each step of the table is one at which somebody is killed: in the lab, or with the agent alone."""

from __future__ import annotations

import re
from pathlib import Path

from tests.crash.table import STEPS
from tests.crash.test_agent_points import LIVES, SPECIAL
from tests.lab.crash.life import COMES_IN, everything, lives, rotated, victims

LAB = Path(__file__).resolve().parents[1] / "lab/crash"


def test_each_step_is_one_at_which_somebody_is_killed() -> None:
    usual = {step for steps in COMES_IN.values() for step in steps}
    said = "".join(path.read_text() for path in LAB.glob("test_*.py"))
    special = {step for step in STEPS if step.name in set(re.findall(r"Step\.([A-Z_]+)", said))}
    assert usual | special | set(LIVES) | SPECIAL == set(STEPS)
    assert {step for step in STEPS if step.startswith("helper.")} <= usual | special


def test_every_day_has_each_step_once_and_all_kinds_of_victims() -> None:
    kills = rotated()
    assert [kill.step for kill in kills] == [step for steps in COMES_IN.values() for step in steps]
    assert {kill.victim for kill in kills} == {"stub", "agent", "helper", "worker", "mkfs.ext4", "multipath"}
    dealt = [kill for life in lives(kills) for kill in life.values()]
    assert sorted(map(str, dealt)) == sorted(map(str, kills))


def test_a_soak_has_every_step_with_every_victim() -> None:
    assert len(everything()) == sum(len(victims(step)) for steps in COMES_IN.values() for step in steps)
