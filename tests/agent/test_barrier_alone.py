"""`instoragectl barrier` where a barrier file is there and the helper has no record of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.agent.test_barrier import run, said

if TYPE_CHECKING:
    import pytest

    from tests.agent.expanding import Pair


def test_plan_names_a_file_without_a_record_and_what_removes_it(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pair.bench.helper.barrier
    file.write_text("written by hand\n")
    run(pair, "plan")
    text = said(capsys)
    assert f"Barrier file {file} stops this node all the same" in text
    assert "removes it: instoragectl barrier clear" in text
    run(pair, "clear")
    assert not file.exists()


def test_clear_keeps_what_only_the_barrier_file_knew(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.break_off()
    pair.bench.helper.kept.clear()
    run(pair, "clear")
    assert "vol1 is not whole: its record is kept" in said(capsys)
    assert not pair.bench.helper.barrier.exists()
    run(pair, "plan")
    assert "expandvdisksize" in said(capsys)
    pair.age()
    run(pair, "resume")
    pair.assert_whole()


def test_clear_leaves_the_barrier_file_when_what_it_knows_can_be_kept_nowhere(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.break_off()
    pair.bench.helper.kept.clear()
    pair.bench.helper.kept.update({f"6{number:031}": "{}" for number in range(6)})
    run(pair, "clear", status=1)
    assert "6 expansions are broken off on this host" in said(capsys)
    assert pair.bench.helper.barrier.exists()
