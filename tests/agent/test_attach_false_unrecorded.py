"""A node with attach:false whose record of a volume is lost: the volume stays under the pods that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, compared, device_target, options, pod_target
from tests.agent.helper_peer import FaultError
from tests.agent.test_attach_false import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """Two pods share vol1; the agent was started anew without its record, while the array was away."""
    bench = Bench(directory, {1: portal(), 2: portal()})
    (bench.paths.plugin / ".attach").write_text("false\n")
    bench.start()
    bench.create("vol1")
    for pod in (pod_target("vol1"), pod_target("vol1", SECOND)):
        bench.call("mount", pod, options("vol1")).success()
    bench.do("fault", command="*", times=0, error="CMMVC5982E")
    bench.stop()
    for path in (directory / "state/volumes").iterdir():
        path.unlink()
    bench.start()
    bench.call("init").success()
    assert not bench.records()
    bench.do("clear")
    compared()
    yield bench
    bench.close()


def test_the_end_of_one_pod_takes_nothing_from_the_other(node: Bench) -> None:
    node.call("unmount", pod_target("vol1")).success()
    assert set(node.helper.mounts) == {device_target("vol1"), pod_target("vol1", SECOND)}
    assert "Detach" not in node.helper.verbs()
    assert node.maps("vol1") == ["iscsi-node1"]


def test_the_end_of_the_last_pod_takes_it_down_all_the_same(node: Bench) -> None:
    for pod in (pod_target("vol1"), pod_target("vol1", SECOND)):
        node.call("unmount", pod).success()
    assert not node.helper.mounts
    assert not node.helper.devices
    assert not node.maps("vol1")
    assert not node.records()


def test_when_the_kernel_cannot_be_asked_nothing_is_taken_down(node: Bench) -> None:
    node.helper.script("Inspect", fault=FaultError("tool-failed", "The mounts cannot be read."))
    node.call("unmount", pod_target("vol1")).failure("The mounts cannot be read.")
    assert device_target("vol1") in node.helper.mounts
    node.call("unmount", pod_target("vol1")).success()
    assert device_target("vol1") in node.helper.mounts


def test_a_volume_whose_name_begins_alike_keeps_nothing(node: Bench) -> None:
    node.create("vol10")
    node.call("mount", pod_target("vol10"), options("vol10")).success()
    for pod in (pod_target("vol1"), pod_target("vol1", SECOND)):
        node.call("unmount", pod).success()
    assert device_target("vol1") not in node.helper.mounts
    assert device_target("vol10") in node.helper.mounts
