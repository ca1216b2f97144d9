"""A pod writes while its paths go and come back: no wrong data, no hang afterwards, and an end that works.

Each kind of trouble over each link, in `make soak`: about a minute for each. What has not passed in the lab
yet asks for `UNSEEN=1` besides.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.link import PATHS, over
from tests.lab.node.fault_matrix import CONF, TEXT, TROUBLES, Scene, Trouble
from tests.lab.node.test_life import succeeded
from tests.lab.reachability import wait_until
from tests.lab.writer import Writer
from tests.soak import IN_SOAK, NOT_SEEN
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Lab
    from tools.lab.product import Product
    from tools.lab.san import San

BACK = 15.0  # seconds for a path to be in its map again
GOES_ON = 60.0  # for a writer, once the fault is gone
DEADLINE = 101.0  # of one call, the stub's own
pytestmark = [pytest.mark.lab, IN_SOAK, over("iscsi"), pytest.mark.timeout(900)]
troubles = pytest.mark.parametrize(
    "trouble", [pytest.param(one, id=one.name, marks=() if one.seen else NOT_SEEN) for one in TROUBLES]
)


@pytest.fixture(scope="module")
def scene(lab: Lab, product: Product, san: San, link: str) -> Iterator[Scene]:
    """A node whose maps queue for as long as the tests mean it."""
    product.machine.put(CONF, TEXT)
    product.machine.run("multipathd reconfigure", 60)
    yield Scene(lab, san, link)
    product.machine.run(f"rm -f {CONF}; multipathd reconfigure", 60)


@pytest.fixture
def pod(scene: Scene, make_volume: MakeVolume) -> Kubelet:
    """A pod with a volume on all paths, and a row in it that is on the array."""
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
    meant(trouble, scene.link)
    writer = Writer(scene.node, f"{pod.pod_directory}/data")
    writer.start()
    trouble.begin(scene)
    try:
        time.sleep(trouble.lasts)  # what the fault is
    finally:
        trouble.end(scene)
    ended = time.monotonic()
    wait_until(lambda: scene.paths() == PATHS[scene.link], BACK)
    print(f"{trouble}: all paths are back after {time.monotonic() - ended:.1f} s")
    if trouble.stops:
        writer.__exit__()
    else:
        writer.goes_on()
        figures = writer.ends()
        print(figures)
        assert figures["wrong"] == 0
    succeeded(pod.end_pod())
    assert row_of(scene, pod.volume) == pod.volume


@troubles
def test_a_pod_ends_while_it_is_so(scene: Scene, pod: Kubelet, trouble: Trouble) -> None:
    """Each call succeeds within its deadline, although paths are away, and nothing stays."""
    meant(trouble, scene.link)
    trouble.begin(scene)
    try:
        answers = [pod.call("unmount"), pod.call("unmountdevice")]
        for answer in answers:
            print(f"{trouble}: {answer.call} {answer.seconds:.1f} s {answer.message}")
    finally:
        trouble.end(scene)
    succeeded(answers)
    assert max(answer.seconds for answer in answers) < DEADLINE
    wait_until(lambda: not scene.node.run("dmsetup ls --target multipath | grep 3600", check=False).stdout)
    assert row_of(scene, pod.volume) == pod.volume


def row_of(scene: Scene, volume: str) -> str:
    """Return what the next pod reads."""
    again = Kubelet(scene.node, volume)
    succeeded(again.start_pod())
    read = scene.node.read(f"{again.pod_directory}/row").decode().strip()
    succeeded(again.end_pod())
    return read
