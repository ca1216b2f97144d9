"""Five hundred nodes boot together on an array that fails over meanwhile (benchmarks/storm.py)."""

from __future__ import annotations

import pytest

from benchmarks import storm
from benchmarks.figures import table
from benchmarks.plot import pictures
from tests.soak import IN_SOAK, write_figures

NODES = 500
pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_a_small_storm_serves_every_node_and_each_figure_of_two_sizes_is_one_picture() -> None:
    weather = storm.Weather(spread=0.5, delay=0.01, away_after=0.2, away=0.2, usual=1.0)
    sizes = {nodes: {one.what: one for one in storm.run(nodes, weather)} for nodes in (2, 4)}
    found = sizes[4]
    assert found["all boot: never served"].value == 0
    assert found["an hour later: calls that failed for want of a session"].value == 0
    assert found["all boot: attach, 99 % waited"].value > 0
    assert found["all boot: the array was away"].value > weather.away
    assert 0 < found["all boot: connections at a time"].value <= 8, "one a node, and its successor"
    drawn = pictures([one for of_size in sizes.values() for one in of_size.values()])
    for what in ("attach-99-waited", "attach-99-with-kubelet-s-pauses", "connections-refused"):
        curve = drawn[f"storm-all-boot-{what}.svg"]
        assert curve.count("<circle") == 2
        assert all(f">{nodes}</text>" in curve for nodes in sizes)


@IN_SOAK
@pytest.mark.measured
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
