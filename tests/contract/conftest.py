"""Each test runs in both worlds; in the true one, which takes half a second a test, not in `make check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.scripted_world import ScriptedWorld
from tests.contract.true_world import TrueWorld
from tests.contract.world import Node
from tests.helper.conftest import run_directory, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["run_directory", "start"]


@pytest.fixture(params=[pytest.param("true", marks=pytest.mark.slow), "scripted"])
def node(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    world: TrueWorld | ScriptedWorld
    if request.param == "true":
        begin: Callable[..., int] = request.getfixturevalue("start")
        world = TrueWorld(tmp_path, monkeypatch, begin, tmp_path / "helper.sock")
    else:
        world = ScriptedWorld(tmp_path)
    made = Node(world)
    yield made
    made.close()
    world.close()
