"""One path by design and one path that is left are two things: at an attach, and when it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, compared, until
from tests.agent.path_world import LONG, PathWorld, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.agent.fabric import Fabric

FORCED = "  forceUseMultipath: true\n"


@pytest.fixture
def single(directory: Path, portal: Callable[[], str]) -> Iterator[PathWorld]:
    """A node whose array has one portal for its volumes."""
    bench = Bench(directory, {1: portal()}, look=0.1)
    made = PathWorld(bench)
    bench.start()
    compared()
    yield made
    bench.close()


@pytest.mark.parametrize("host", ["", FORCED], ids=["a map if there is one", "forceUseMultipath"])
def test_an_array_with_one_portal_is_one_path_by_design(
    single: PathWorld, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    single.bench.configure(host=host)
    single.bench.create("vol1")
    assert "One path by design" in single.bench.attach("vol1").success().message
    assert single.bench.helper.last("Attach")["multipath"] == ("required" if host else "preferred")
    single.use("vol2")
    single.fail(*single.sessions)
    single.look()
    until(lambda: said(caplog, "is lost for volume vol2"), LONG)
    assert "It is the only one, by design." in said(caplog, "is lost for volume vol2")[0]
    assert said(caplog, "Volume vol2 has no path left, its only one is lost.")


@pytest.mark.parametrize("host", ["", FORCED], ids=["a map if there is one", "forceUseMultipath"])
def test_one_of_two_portals_is_one_path_that_is_left(
    world: PathWorld, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    world.bench.configure(host=host)
    world.bench.create("vol1")
    answer = world.bench.attach("vol1").success().message
    assert "One path is left of 2" in answer
    assert "by design" not in answer
    world.use("vol2")
    until(lambda: said(caplog, "is lost for volume vol2"), LONG)
    assert "One path is left of 2" in said(caplog, "is lost for volume vol2")[0]
    world.fail(world.bench.portals[1])
    world.look()
    until(lambda: said(caplog, "Volume vol2 has no path left, all 2 are lost."), LONG)


def test_one_port_that_two_adapters_see_is_two_paths(fabric: Fabric) -> None:
    """Of which one that is lost leaves one; with one adapter alone it is by design."""
    helper = fabric.bench.helper
    for name, expected in (("pvc-2", "One path by design"), ("pvc-3", "One path is left of 2")):
        helper.silent.add((fabric.bench.create(name), 1))
        assert expected in fabric.bench.attach(name).success().message
        if name == "pvc-2":
            fabric.log_in(1, 1)
