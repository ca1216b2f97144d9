"""Node a with the build that can be stopped at a step, and the array; afterwards the product is put back."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.lab.crash import build
from tools.lab.product import Product, host_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine
    from tools.lab.san import San

    MakeVolume = Callable[[], str]

CLEAN_LIMIT = 60  # seconds: «within a minute nothing is left that nobody uses»


def installed(machine: Machine, link: str = "iscsi") -> Product:
    """Install the build that can be stopped, and start it."""
    product = Product(machine, host=host_settings(link))
    product.install()
    machine.put_tree("/", build.tree())
    build.watch(machine)
    machine.run("systemctl restart instorage-node.target", timeout=120)
    return product


@pytest.fixture(scope="module")
def denied_besides() -> tuple[str, ...]:
    return build.DENIED


@pytest.fixture(scope="module")
def product(lab: Lab, link: str, san: San) -> Product:
    return installed(lab.node("a"), link)


@pytest.fixture
def node(product: Product) -> Iterator[Machine]:
    yield product.machine
    build.disarm(product.machine)


@pytest.fixture(scope="module")
def make_volume(san: San) -> Iterator[MakeVolume]:
    made: list[str] = []

    def make() -> str:
        volume = f"pvc-{uuid.uuid4()}"
        kind = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand"
        san.command(f"mcsop mkvdisk -name {volume} -size 1 -unit gb {kind}")
        made.append(volume)
        return volume

    yield make
    for volume in made:
        san.command(f"mcsop rmvdisk -force {volume}")


@pytest.fixture
def becomes_clean(product: Product, san: San) -> Callable[[], None]:
    """Fail unless node and array have nothing left of any volume within a minute."""

    def check() -> None:
        began = time.monotonic()
        while (left := state(product, san)) and time.monotonic() < began + CLEAN_LIMIT:
            time.sleep(0.5)
        print(f"clean after {time.monotonic() - began:.1f} s")
        assert not left, f"left behind: {left}"

    return check


def state(product: Product, san: San) -> dict[str, str]:
    """Return what of volumes is on the node and mapped on the array."""
    mapped = [volume["name"] for volume in san.control.do("volumes") if volume["maps"]]
    return product.residue() | ({"mappings": " ".join(mapped)} if mapped else {})
