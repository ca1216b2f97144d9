"""`instoragectl barrier plan` where a barrier file is there and no record says whose it is."""

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
