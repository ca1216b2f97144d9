"""Randomised faults around a true agent: nothing is lost, nothing is left, each volume is usable at the end.

The same schedules strike a whole node in the lab (tests/lab/faults). `FAULTS_SEED` and `FAULTS_N` choose
others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.agent.conftest import loopback
from tests.agent.faulty_node import KINDS, FaultyNode, faulty
from tests.faults.ledger import Ledger, Result, met, told
from tests.faults.running import run
from tests.faults.schedule import drawn, enough

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = int(os.environ.get("FAULTS_SEED", "7"))
COUNT = int(os.environ.get("FAULTS_N", str(enough(KINDS))))
MOST = max(COUNT, 5 * enough(KINDS))
pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(120 * MOST)]


@pytest.fixture
def world(directory: Path) -> Iterator[FaultyNode]:
    made = faulty(directory, {number: f"{loopback()}:3260" for number in (1, 2)})
    for number in made.bench.portals:
        made.strikes.portal(number, up=True)
    yield made
    made.close()


def test_whatever_strikes_nothing_is_lost_and_nothing_is_left(world: FaultyNode, tmp_path: Path) -> None:
    """One node for all of them: what one schedule leaves, the next one meets.

    Further ones are run while a kind of fault has met no operation yet: a machine may be that quick.
    """
    ledger, names = Ledger(tmp_path / f"{SEED}.jsonl"), [kind.name for kind in KINDS]
    missed, number = names, 0
    while number < COUNT or (missed and number < MOST):
        result = Result(SEED, number, "this")
        try:
            run(drawn(SEED, number, KINDS), world, result)
        finally:
            ledger.write(result)
        missed = [name for name, count in met(ledger.results().values(), names).items() if not count]
        number += 1
    print(told(ledger.results().values(), names))
    assert ledger.clean() == set(range(number))
    assert not missed, f"never while an operation was in flight: {missed}"
