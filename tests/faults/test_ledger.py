"""The ledger: what was clean is not done again, and a fault that never met anything is seen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.ledger import Ledger, Result, met, told

if TYPE_CHECKING:
    from pathlib import Path


def result(number: int, *, clean: bool = True, **met: int) -> Result:
    struck = Counter({name.replace("_", "-"): count + 1 for name, count in met.items()})
    found = Counter({name.replace("_", "-"): count for name, count in met.items()})
    return Result(7, number, "abc1234", clean, "", 12.5, struck, found)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep/7.jsonl")
    assert ledger.results() == {}
    written = [result(0, link_down=1), result(1, clean=False)]
    for one in written:
        ledger.write(one)
    assert list(Ledger(ledger.path).results().values()) == written
    assert ledger.clean() == {0}


def test_a_schedule_that_failed_is_done_again_and_its_latest_result_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "7.jsonl")
    ledger.write(result(3, clean=False, busy=1))
    ledger.write(result(3, busy=2))
    assert ledger.clean() == {3}
    assert met(ledger.results().values(), ["busy"])["busy"] == 2


def test_a_line_that_a_kill_cut_off_is_nobodys_result_and_spoils_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "7.jsonl")
    ledger.write(result(0))
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"seed": 7, "number": 1, "cle')
    ledger.write(result(2))
    assert ledger.clean() == {0, 2}


def test_a_fault_that_never_met_an_operation_counts_zero() -> None:
    counts = met([result(0, busy=2), result(1, busy=1, slow=0)], ["busy", "slow", "link-down"])
    assert dict(counts) == {"busy": 3, "slow": 0, "link-down": 0}


def test_the_line_for_the_soak_says_commits_sums_and_zeros() -> None:
    said = told([result(0, busy=2), result(1, clean=False, busy=1)], ["busy", "link-down"])
    assert said == "2 schedules on abc1234, 1 clean, 25 s; met in flight: busy 3, link-down 0"
