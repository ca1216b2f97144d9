"""A pod writes while its paths go and come back: no wrong data, no hang afterwards, and an end that works.

Each kind of trouble over each link in `make soak`, about a minute for each; every day one, over the links in
turn.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab.crash.life import repeat
from tests.lab.link import PATHS, SHOWN, over
from tests.lab.node.fault_matrix import CONF, TEXT, TROUBLES, Scene, Trouble
from tests.lab.node.test_healing import online, until
from tests.lab.node.test_life import succeeded
from tests.lab.reachability import wait_until
from tests.lab.writer import Writer
from tests.soak import of_today
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Lab
    from tools.lab.product import Product
    from tools.lab.san import San

BACK = 15.0  # seconds for a path to be in its map again
FOUND = (
    60.0  # for a session to be given up (5 + 5 + 5), and for the array to be asked where its portal is now
)
DEADLINE = 101.0  # of one call, the stub's own: a map that gives up, and all that waits for it, comes before
LINKS = (*("iscsi", "fc") * (len(TROUBLES) // 2), *("fc", "iscsi") * (len(TROUBLES) // 2))
pytestmark = [pytest.mark.lab, over(*of_today(LINKS, len(LINKS))), pytest.mark.timeout(900)]
troubles = pytest.mark.parametrize("trouble", of_today(TROUBLES, len(TROUBLES)), ids=str)


@pytest.fixture(scope="module")
def scene(lab: Lab, product: Product, san: San, link: str) -> Iterator[Scene]:
    """A node whose maps queue for as long as the tests mean it."""
    product.machine.put(CONF, TEXT)
    product.machine.run("multipathd reconfigure", 60)
    yield Scene(lab, san, link)
    product.machine.run(f"rm -f {CONF}; multipathd reconfigure", 60)


@pytest.fixture
def pod(scene: Scene, make_volume: MakeVolume, trouble: Trouble) -> Kubelet:
    """A pod with a volume on all paths, and a row in it that is on the array."""
    meant(trouble, scene.link)
    started = Kubelet(scene.node, make_volume())
    succeeded(started.start_pod())
    wait_until(lambda: scene.paths() == PATHS[scene.link], BACK)
    row = f"{started.pod_directory}/row"
    scene.node.run(f"echo {started.volume} > {row} && sync {row} {started.pod_directory}")
    return started


def meant(trouble: Trouble, link: str) -> None:
    if trouble.iscsi_only and link != "iscsi":
        pytest.skip("of iSCSI")


@troubles
def test_a_writer_goes_on_and_every_path_is_back_in_15_seconds(
    scene: Scene, pod: Kubelet, trouble: Trouble
) -> None:
    writer = Writer(scene.node, f"{pod.pod_directory}/data")
    writer.start()
    wait_until(lambda: writer.blocks() > 1)
    with struck(scene, trouble):
        time.sleep(trouble.lasts)  # what the fault is
        if trouble.heals:
            comes_back(scene, trouble, FOUND)
    comes_back(scene, trouble, BACK + SHOWN[scene.link])
    if not trouble.stops:
        writer.goes_on()
    figures = writer.ends()
    print(figures)
    assert bool(figures["stopped"]) == trouble.stops
    assert figures["wrong"] == (-1 if trouble.stops else 0)
    assert trouble.stops or figures["longest_ms"] < 1000 * (trouble.lasts + BACK + SHOWN[scene.link])
    succeeded(pod.end_pod())
    again = next_pod(scene, pod.volume)
    assert writer.wrong_of(f"{again.pod_directory}/data", figures["written"]) == 0, "each was on the disk"
    succeeded(again.end_pod())


@contextmanager
def struck(scene: Scene, trouble: Trouble) -> Iterator[None]:
    """Have it so for as long as the block takes."""
    trouble.begin(scene)
    try:
        yield
    finally:
        trouble.end(scene)


def comes_back(scene: Scene, trouble: Trouble, seconds: float) -> None:
    """Wait until each path is in its map and works."""
    took = until(lambda: scene.paths() == PATHS[scene.link], seconds, scene.node)
    print(f"{trouble}: all paths are back after {took:.1f} s")


@troubles
def test_a_pod_ends_while_it_is_so(scene: Scene, pod: Kubelet, trouble: Trouble) -> None:
    """As kubelet asks, again and again, within the time that one call may take; and nothing stays."""
    with struck(scene, trouble):
        if trouble.stops:
            time.sleep(trouble.lasts)  # until the map has given up
        began = time.monotonic()
        repeat(pod, "unmount")
        repeat(pod, "unmountdevice")
        took = time.monotonic() - began
        print(f"{trouble}: ended after {took:.1f} s")
    assert took < DEADLINE
    wait_until(lambda: not scene.node.run("dmsetup ls --target multipath | grep 3600", check=False).stdout)
    if scene.link == "fc":  # the lab's fabric has the array's ports again after a while
        until(lambda: online(scene.node) == PATHS["fc"], SHOWN["fc"], scene.node)
    succeeded(next_pod(scene, pod.volume).end_pod())


def next_pod(scene: Scene, volume: str) -> Kubelet:
    """Start another pod with a volume, in which is what was on the array before."""
    again = Kubelet(scene.node, volume)
    succeeded(again.start_pod())
    assert scene.node.read(f"{again.pod_directory}/row").decode().strip() == volume
    return again
