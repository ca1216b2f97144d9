"""The installed product on node a, the array beside it; every test must leave the node clean."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

    MakeVolume = Callable[..., str]

CLEAN_LIMIT = 60  # seconds: what was attached and never mounted is taken down 30 s after its last call


@pytest.fixture
def node(product: Product) -> Machine:
    return product.machine


@pytest.fixture(autouse=True)
def node_is_left_clean(product: Product, san: San) -> Iterator[None]:
    yield
    san.control.do("clear")
    deadline = time.monotonic() + CLEAN_LIMIT
    while (left := product.residue()) and time.monotonic() < deadline:
        time.sleep(0.3)
    assert not left, f"left behind on the node: {left}"


@pytest.fixture
def make_volume(san: San, node_is_left_clean: None) -> Iterator[MakeVolume]:
    """Make volumes on the array as its administrator would; they are deleted when the test has ended."""
    made: list[str] = []

    def make(
        *,
        name: str | None = None,
        size_gib: int = 1,
        kind: str = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand",
    ) -> str:
        volume = name or f"pvc-{uuid.uuid4()}"
        san.command(f"mcsop mkvdisk -name {volume} -size {size_gib} -unit gb {kind}")
        made.append(volume)
        return volume

    yield make
    for volume in made:
        san.command(f"mcsop rmvdisk -force {volume}")
