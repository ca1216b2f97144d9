"""A cluster over the lab: real kubelets on nodes a and b with the installed product, and the provisioner."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.world import CLASS, World, storage_class, until
from tools.kube.cluster import Cluster
from tools.kube.machines import POOLS, with_kubelet
from tools.kube.provisioner import Provisioner
from tools.lab import Lab, LabFault
from tools.lab.product import Product
from tools.lab.san import San
from tools.lab.topology import NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the caches lack before the first test, whose time limit is too short for it."""
    wanted = any("kube" in item.keywords and "lab" in item.keywords for item in session.items)
    if wanted and not session.config.option.collectonly:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        say: Callable[[str], None] = reporter.write_line if reporter else print
        with contextlib.suppress(LabFault):  # the fixture meets it again and each test reports it
            with_kubelet(say)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The array, and nodes a and b with a kubelet."""
    with Lab(NODES, machines=with_kubelet) as lab:
        lab.start()
        yield lab


@pytest.fixture(scope="module", autouse=True)
def fresh_machines() -> None:
    """The cluster stays: each test leaves it as it was, and proves it."""


@pytest.fixture(scope="session")
def san(lab: Lab) -> Iterator[San]:
    with San(lab, *POOLS) as san:
        yield san


@pytest.fixture(scope="session")
def products(lab: Lab, san: San) -> dict[str, Product]:
    """The installed product by the machine's name; it starts with the machine."""
    products = {name: Product(lab.node(name)) for name in NODES}
    with ThreadPoolExecutor(len(products)) as pool:
        list(pool.map(Product.install, products.values()))
    for product in products.values():
        product.machine.run("systemctl enable -q instorage-node.target")
    return products


@pytest.fixture(scope="session")
def joined(lab: Lab, products: dict[str, Product]) -> Iterator[Cluster]:
    """The cluster with both nodes in it."""
    with Cluster(lab) as cluster:
        cluster.join(*NODES)
        yield cluster


@pytest.fixture(scope="session")
def provisioner(joined: Cluster, lab: Lab) -> Iterator[Provisioner]:
    with Provisioner(joined, lab.management_socket(), lab.directory / "provisioner") as provisioner:
        yield provisioner


@pytest.fixture(scope="session")
def cluster(joined: Cluster, provisioner: Provisioner, products: dict[str, Product]) -> Cluster:
    """The cluster, ready for claims."""
    for product in products.values():
        product.configure(volumeKey=[provisioner.key_line])
    joined.apply([storage_class(CLASS, volThin="true")])
    return joined


def _delete(world: World, volume: str) -> None:
    until(lambda: not world.mapped_volume(volume), f"{volume} is unmapped")
    world.san.command(f"mcsop rmvdisk {volume}")


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[World]]:
    """What the module's tests make; fails at its end unless nodes, array and cluster have nothing of it."""
    worlds: list[World] = []
    yield worlds
    for world in worlds:
        for volume in world.by_hand:
            _delete(world, volume)
    began = time.monotonic()
    if worlds:
        until(lambda: not worlds[0].left(), lambda: f"clean; left: {worlds[0].left()}")
    print(f"clean after {time.monotonic() - began:.1f} s")


@pytest.fixture
def world(cluster: Cluster, products: dict[str, Product], san: San, worlds: list[World]) -> Iterator[World]:
    worlds.append(World(cluster, products, san))
    yield worlds[-1]
    worlds[-1].delete()
