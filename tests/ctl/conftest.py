"""A node that has volumes, a simulated array and a scripted helper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.conftest import directory, portal
from tests.ctl.node import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ctl.node import Node

__all__ = ["directory", "portal"]


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Node]:
    """Two portals, an agent that runs, everything healthy."""
    one = made(directory, portal)
    yield one
    one.do("clear")
    one.close()
