"""A node whose agent settles what is left behind after a moment, and how it is seen that nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, device_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node whose agent waits 0.3 s instead of 30 s after the last call."""
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    bench.start()
    yield bench
    bench.close()


def clean(bench: Bench, volume: str) -> bool:
    return not bench.maps(volume) and not bench.records() and not bench.helper.devices


def vendors(bench: Bench, volume: str = "vol1", target: str = "") -> str:
    """A volume that the vendor's plugin has attached and mounted, under its own name or another one."""
    uid = bench.create(volume)
    bench.make_host("iscsi-node1")
    bench.map(volume, "iscsi-node1")
    bench.helper.devices[uid] = "/dev/disk/by-id/x"
    bench.helper.mounts[device_target(target or volume)] = (uid, False)
    return uid
