"""Five hundred nodes boot together on an array that fails over meanwhile (benchmarks/storm.py)."""

from __future__ import annotations

import pytest

from benchmarks import storm
from benchmarks.figures import table
from tests.soak import IN_SOAK, write_figures

NODES = 500


@IN_SOAK
@pytest.mark.measured
@pytest.mark.slow
@pytest.mark.subprocess
@pytest.mark.timeout(1200)
def test_five_hundred_nodes_are_served_and_none_fails_for_want_of_a_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = list(storm.run(NODES))
    with capsys.disabled():
        print(f"\n{table(found)}")
    told = "; ".join(f"{one.what}: {one.value:.1f} {one.unit}" for one in found if one.limit is not None)
    write_figures(f"tests/arrays/test_storm.py: {NODES} nodes", told)
    assert not [one for one in found if one.missed]
