"""The runner: what counts as met, that everything heals, and that a failure is somebody's result."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.faults.ledger import Result
from tests.faults.running import run
from tests.faults.schedule import Schedule, Strike, Turn, Work

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE, LATE = 0.0, 1.0


@dataclass
class Scripted:
    """A world whose `lengthy` volumes work until what struck has healed; `broken` ones fail."""

    lengthy: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)
    immune: set[str] = field(default_factory=set)
    usual: float = 0.2
    longest: float = 0.2
    healed: list[str] = field(default_factory=list)
    checks: int = 0
    _released: threading.Event = field(default_factory=threading.Event)

    def prepare(self, turn: Turn) -> None:
        self._released.clear()

    def work(self, volume: int, work: Work) -> None:
        if volume in self.lengthy:
            assert self._released.wait(30)
        assert volume not in self.broken, f"volume {volume} does not {work}"

    def strike(self, strike: Strike) -> Callable[[], object] | None:
        if strike.kind in self.immune:
            self._released.set()
            return None

        def heal() -> None:
            self.healed.append(strike.kind)
            self._released.set()

        return heal

    def check(self) -> None:
        self.checks += 1

    def finish(self) -> None:
        self.checks += 1


def one(*strikes: Strike, work: tuple[tuple[int, Work], ...] = ((0, Work.START),)) -> Schedule:
    return Schedule(7, 3, (Turn(work, strikes),))


def struck(world: Scripted, schedule: Schedule) -> Result:
    result = Result(7, 3, "abc1234")
    run(schedule, world, result)
    return result


def test_a_fault_met_what_was_under_way_when_it_struck_and_after() -> None:
    world = Scripted(lengthy={0})
    result = struck(world, one(Strike("slow", 0, 0, AT_ONCE, 0.1)))
    assert (result.struck, result.met, result.clean) == (Counter(slow=1), Counter(slow=1), True)
    assert (world.healed, world.checks) == (["slow"], 2)


def test_a_fault_that_came_too_late_has_struck_and_met_nothing() -> None:
    result = struck(Scripted(), one(Strike("slow", 0, 0, LATE, 0.1)))
    assert (result.struck["slow"], result.met["slow"]) == (1, 0)


def test_a_fault_aimed_at_one_volume_meets_no_other() -> None:
    work = ((0, Work.START), (1, Work.START))
    near, far = (Strike("unmapped", volume, 0, 0.5, 0.1, aimed=True) for volume in (0, 1))
    assert struck(Scripted(lengthy={0}), one(near, work=work)).met["unmapped"] == 1
    assert struck(Scripted(lengthy={0}), one(far, work=work)).met["unmapped"] == 0


def test_what_there_was_nothing_to_strike_does_not_count() -> None:
    result = struck(Scripted(lengthy={0}, immune={"slow"}), one(Strike("slow", 0, 0, AT_ONCE, 0.1)))
    assert result.struck["slow"] == 0


def test_all_heals_and_the_result_says_why_when_an_operation_fails() -> None:
    world, result = Scripted(broken={0}), Result(7, 3, "abc1234")
    strikes = Strike("slow", 0, 0, AT_ONCE, 0.9), Strike("busy", 0, 0, AT_ONCE, 0.1)
    with pytest.raises(AssertionError, match="volume 0 does not start"):
        run(one(*strikes), world, result)
    assert sorted(world.healed) == ["busy", "slow"]
    assert not result.clean
    assert "volume 0 does not start" in result.said
