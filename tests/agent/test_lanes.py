"""Reconciliation with several arrays: what is left over of a dead one holds back nothing of the others."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.endpoint import Limits
from tests.agent.bench import Bench, until
from tests.agent.test_where_it_is_mapped import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
LEFT_OVER = 30  # volumes of the dead array, more than are worked on at a time


@pytest.fixture
def node(directory: Path, portal: Callable[[], str], silent_portal: Callable[[], str]) -> Iterator[Bench]:
    """A node with an attached volume and many left over of an array that never answers."""
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3, patience=Limits(connect=3.0))
    bench.start()
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    record = bench.records()[uid]
    bench.stop()
    for number in range(LEFT_OVER):
        other = f"6{number:031d}"  # looked at first
        text = json.dumps(record | {"uid": other, "name": f"dead{number}", "storage": "dead", "target": None})
        (directory / "state/volumes" / other).write_text(text)
    bench.configure(
        storage=f"- name: dead\n  type: AS18000\n  host: {silent_portal()}\n  username: u\n  password: p\n"
    )
    yield bench
    bench.agent.stop()
    bench.close()


def ours_gone(bench: Bench) -> bool:
    return not bench.maps("vol1") and len(bench.records()) == LEFT_OVER


def test_after_a_reboot_a_healthy_arrays_volume_is_taken_down_beside_a_dead_one(node: Bench) -> None:
    node.helper.mounts.clear()
    node.set_boot("22222222-boot")
    began = time.monotonic()
    node.start()
    until(lambda: ours_gone(node), 5)
    assert time.monotonic() - began < 5


def test_while_it_runs_a_healthy_arrays_volume_is_taken_down_beside_a_dead_one(node: Bench) -> None:
    node.start()
    node.call("init").success()
    until(lambda: any(node.agent._node.locks.busy(f"dead{number}") for number in range(LEFT_OVER)))
    node.helper.mounts.clear()
    node.attach("vol1").success()  # a call ends, and nothing mounts it
    until(lambda: ours_gone(node), 5)


def test_a_defect_in_one_trial_is_tried_again(node: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = []

    def broken(*_: object) -> None:
        failed.append(1)
        raise ValueError("a defect")

    node.helper.mounts.clear()
    with monkeypatch.context() as patch:
        patch.setattr("nodeagent.volume.takedown.look", broken)
        node.start()
        until(lambda: failed)
    until(lambda: ours_gone(node))
    assert not clean(node), "those of the dead array stay"
