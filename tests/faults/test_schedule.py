"""Schedules: the same for the same seed, possible for kubelet, and no kind of fault is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.schedule import STRIKES, TURNS, VOLUMES, Kind, Schedule, Work, drawn, enough

KINDS = [
    *(Kind(f"any-{number}") for number in range(9)),
    Kind("unmapped", (Work.START, Work.END)),
    Kind("refused", (Work.GROW,)),
]
seeds, numbers = st.integers(0, 1 << 32), st.integers(0, 300)
kinds = st.integers(1, 25).map(lambda count: [Kind(f"k{number}") for number in range(count)])


@given(seeds, numbers)
def test_a_seed_and_a_number_always_give_the_same(seed: int, number: int) -> None:
    assert asdict(drawn(seed, number, KINDS)) == asdict(drawn(seed, number, KINDS))


@given(seeds, numbers)
def test_other_numbers_and_seeds_give_others(seed: int, number: int) -> None:
    here = drawn(seed, number, KINDS).turns
    assert here != drawn(seed, number + 1, KINDS).turns
    assert here != drawn(seed + 1, number, KINDS).turns


@given(seeds, numbers)
def test_no_pod_starts_twice_and_none_ends_that_was_not_started(seed: int, number: int) -> None:
    used: set[int] = set()
    for turn in drawn(seed, number, KINDS).turns:
        assert turn.work, "a turn without work meets nothing"
        assert len({volume for volume, _ in turn.work}) == len(turn.work)
        for volume, work in turn.work:
            assert 0 <= volume < VOLUMES
            assert (volume in used) == (work is not Work.START)
            used.discard(volume) if work is Work.END else used.add(volume)


@given(seeds, numbers)
def test_a_fault_strikes_a_volume_that_is_worked_on(seed: int, number: int) -> None:
    for turn in drawn(seed, number, KINDS).turns:
        assert len(turn.strikes) == STRIKES
        assert [one.after for one in turn.strikes] == sorted(one.after for one in turn.strikes)
        for strike in turn.strikes:
            assert strike.volume in dict(turn.work)
            assert 0 <= strike.after <= 1
            assert 0 <= strike.lasts <= 1
            assert strike.way in (0, 1)


@given(seeds, numbers, kinds)
def test_a_run_of_enough_schedules_deals_every_kind(seed: int, first: int, meant: list[Kind]) -> None:
    run = [drawn(seed, first + number, meant) for number in range(enough(meant))]
    assert dealt(run).keys() == {kind.name for kind in meant}


@given(seeds, kinds)
def test_no_kind_comes_oftener_than_another_but_by_one_pack(seed: int, meant: list[Kind]) -> None:
    counts = dealt([drawn(seed, number, meant) for number in range(20)])
    assert sum(counts.values()) == 20 * TURNS * STRIKES
    assert max(counts.values()) - min(counts.values()) <= 1


@given(seeds, numbers)
def test_a_kind_that_strikes_some_work_alone_finds_it_where_each_strike_has_a_volume_for_it(
    seed: int, number: int
) -> None:
    """Growth needs a pod; the first turn has none, and a single one may be taken by the other strike."""
    used: set[int] = set()
    for turn in drawn(seed, number, KINDS).turns:
        work = dict(turn.work)
        for strike in turn.strikes:
            meant = next(one.on for one in KINDS if one.name == strike.kind)
            able = used if meant == (Work.GROW,) else range(VOLUMES)
            assert work[strike.volume] in meant or len(able) < STRIKES
        used = used - {one for one in work if work[one] is Work.END} | {
            one for one in work if work[one] is Work.START
        }


def dealt(run: list[Schedule]) -> Counter[str]:
    return Counter(strike.kind for one in run for turn in one.turns for strike in turn.strikes)
