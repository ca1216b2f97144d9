"""Node a with SELinux enforcing, no rule silent, the product installed before: as on a host of that kind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tools.lab.product import Product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine
    from tools.lab.san import San

    MakeVolume = Callable[..., str]

BUILD_LIMIT = 600  # seconds: an emulated machine links the policy anew
DONTAUDIT_OFF = "semodule -DB"


@pytest.fixture(scope="module")
def enforced(lab: Lab, san: San) -> Iterator[Product]:
    """The product on node a, every process of it in its domain, and nothing denied in silence."""
    product = Product(lab.node("a"))
    product.install()
    product.machine.run(DONTAUDIT_OFF, BUILD_LIMIT)
    product.machine.run("setenforce 1")
    product.machine.run("systemctl restart instorage-node.target", 120)
    yield product
    product.machine.run("setenforce 0")


@pytest.fixture(scope="module")
def node_enforced(enforced: Product) -> Machine:
    """The machine of the node that enforces, for a module."""
    return enforced.machine


@pytest.fixture
def node(enforced: Product) -> Machine:
    """Node a, enforcing."""
    return enforced.machine


@pytest.fixture
def make_volume(san: San) -> Iterator[MakeVolume]:
    """Make volumes on the array and return their names; they are deleted when the test has ended."""
    made: list[str] = []

    def make(size_gib: int = 1) -> str:
        name = f"pvc-{uuid.uuid4()}"
        kind = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand"
        san.command(f"mcsop mkvdisk -name {name} -size {size_gib} -unit gb {kind}")
        made.append(name)
        return name

    yield make
    for volume in made:
        san.command(f"mcsop rmvdisk -force {volume}")
