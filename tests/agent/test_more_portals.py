"""An array with more portals than the 16 that a volume is reached over, one of which is out at the attach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, compared, until
from tests.agent.path_world import LONG, PathWorld, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.agent.path_world import Port


@pytest.fixture
def wide(directory: Path, portal: Callable[[], str], late: Port) -> Iterator[PathWorld]:
    """Nine portals at one node, of which nobody answers at the first, and eight at the other."""
    more = {
        node: tuple(portal().rpartition(":")[0] for _ in range(count)) for node, count in ((1, 8), (2, 7))
    }
    bench = Bench(directory, {1: late.name, 2: portal()}, look=0.1, more=more)
    made = PathWorld(bench)
    bench.start()
    compared()
    yield made
    bench.close()


def the_one_that_stands_in(wide: PathWorld) -> str:
    return f"{wide.bench.more[1][-1]}:3260"


def all_is_well(wide: PathWorld, caplog: pytest.LogCaptureFixture) -> bool:
    wide.look()
    until(lambda: wide.bench.agent.healer._pause() is None, 20)
    return not said(caplog, "is lost for")


def test_what_stands_in_for_a_portal_that_is_out_counts_and_no_seventeenth_path_is_added(
    wide: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    uid = wide.use("vol1")
    assert wide.paths(uid) == 16
    assert all_is_well(wide, caplog), "16 paths work, and one is said to be lost"
    late.open()
    assert all_is_well(wide, caplog)
    wide.fail(the_one_that_stands_in(wide))
    wide.bench.agent._node.expected.look()
    until(lambda: said(caplog, f"portal {the_one_that_stands_in(wide)}"), LONG)
    (lost,) = said(caplog, "is lost for volume vol1")
    assert "15 of 16 paths are left" in lost
    until(lambda: "lsportip" in wide.bench.commands(), LONG)  # the array says what it has
    looks = wide.bench.agent.healer.looks
    until(lambda: wide.bench.agent.healer.looks > looks + 5, LONG)
    assert wide.paths(uid) == 16


def test_an_agent_that_starts_again_means_the_portals_that_are_used(
    wide: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    uid = wide.use("vol1")
    wide.bench.restart(late.open)
    compared()
    assert all_is_well(wide, caplog), "a portal that the volume never had is said to be lost"
    assert wide.paths(uid) == 16
    wide.fail(the_one_that_stands_in(wide))
    wide.bench.agent._node.expected.look()
    until(lambda: said(caplog, f"portal {the_one_that_stands_in(wide)}"), LONG)
