"""Randomised faults around a whole node: no wrong device, nothing lost, nothing left, each volume usable.

`make faults N=200 SEED=7` runs any number, `make test` four over iSCSI, always the same. What is clean in the
ledger (a file beside the lab's cache, for each link and seed) is not run again where a number is asked for.
The same oracle judges the agent alone, natively (tests/agent/test_fault_schedules.py).
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import soak
from tests.faults.ledger import FOLDER, Ledger, Result, met, told
from tests.faults.running import run
from tests.faults.schedule import drawn, enough
from tests.lab.faults.striking import kinds
from tests.lab.faults.world import LabWorld
from tests.lab.link import over
from tests.lab.node.fault_matrix import CONF, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab.product import Product
    from tools.lab.san import San

ASKED = os.environ.get("FAULTS_N", "")
COUNT, SEED = int(ASKED or 4), int(os.environ.get("FAULTS_SEED") or 7)
MANY = 3  # times what deals each kind once
LONGEST = 1800  # seconds for one schedule
pytestmark = [pytest.mark.lab, over("iscsi"), pytest.mark.timeout(LONGEST)]


@pytest.fixture(scope="module")
def ledger(link: str, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Of all sessions, when a number was asked for; else of this one, also after a failure."""
    folder = FOLDER if ASKED else tmp_path_factory.getbasetemp()
    return Ledger(folder / f"{link}-{SEED}.jsonl")


@pytest.fixture(scope="module")
def world(product: Product, san: San, link: str) -> Iterator[LabWorld]:
    """A node whose maps queue for longer than any fault lasts."""
    product.machine.put(CONF, TEXT)
    product.machine.run("multipathd reconfigure", 60)
    made = LabWorld(product, san, link)
    yield made
    made.close()


@pytest.mark.parametrize("number", range(COUNT), ids=lambda number: f"seed {SEED} number {number}")
def test_whatever_strikes_nothing_is_lost_and_nothing_is_left(
    world: LabWorld, link: str, ledger: Ledger, number: int
) -> None:
    if number in ledger.clean():
        pytest.skip(f"clean in {ledger.path}")
    result = Result(SEED, number, commit())
    try:
        run(drawn(SEED, number, kinds(link)), world, result)
    finally:
        ledger.write(result)


def test_every_fault_met_an_operation_that_was_under_way(link: str, ledger: Ledger) -> None:
    """In a run of many: of four, each kind strikes twice, and may come too late."""
    names = [kind.name for kind in kinds(link)]
    results = [one for number, one in ledger.results().items() if number < COUNT]
    said = told(results, names)
    print(said)
    if ASKED:
        soak.write_figures(f"`make faults LINK={link} SEED={SEED}`", said)
    missed = [name for name, count in met(results, names).items() if not count]
    assert not missed or len(results) < MANY * enough(kinds(link)), f"struck, and met nothing: {missed}"


def commit() -> str:
    argv = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(argv, cwd=soak.ROOT, capture_output=True, text=True, check=False).stdout.strip()
