"""A node with attach:false: mount and unmount are all that kubelet calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, device_target, options, pod_target, until
from tests.agent.helper_peer import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECOND = "531a7251-1df7-43a7-b81a-9e1d775a898e"


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    (bench.paths.plugin / ".attach").write_text("false\n")
    bench.start()
    yield bench
    bench.close()


def test_two_pods_share_one_device_mount_and_the_last_takes_it_down(node: Bench) -> None:
    node.create("vol1")
    node.call("mount", pod_target("vol1"), options("vol1")).success()
    node.call("mount", pod_target("vol1", SECOND), options("vol1")).success()
    assert node.helper.verbs().count("Mount") == 1
    node.call("unmount", pod_target("vol1")).success()
    assert node.maps("vol1") == ["iscsi-node1"]
    node.call("unmount", pod_target("vol1", SECOND)).success()
    assert node.maps("vol1") == []
    assert node.records() == {}
    assert node.helper.mounts == {}


def test_the_arrays_mappings_keep_it_from_a_second_node(node: Bench) -> None:
    node.create("vol1")
    node.make_host("iscsi-other", "iqn.1993-08.org.debian:01:other")
    node.map("vol1", "iscsi-other")
    node.call("mount", pod_target("vol1"), options("vol1")).failure("iscsi-other")


def test_a_device_mount_without_any_pod_is_left_over(node: Bench) -> None:
    node.create("vol1")
    node.helper.script("Bind", fault=FaultError("file-system", "The bind failed."))
    node.call("mount", pod_target("vol1"), options("vol1")).failure("The bind failed.")
    assert device_target("vol1") in node.helper.mounts
    until(lambda: not node.maps("vol1") and not node.records() and not node.helper.mounts)


def test_an_unmount_of_what_was_never_there_is_success(node: Bench) -> None:
    node.call("unmount", pod_target("vol1")).success()


def test_a_setting_that_cannot_be_read_is_not_taken_for_true(node: Bench) -> None:
    """The stub is root and reads it: kubelet goes on to call mount and unmount alone."""
    node.create("vol1")
    node.call("mount", pod_target("vol1"), options("vol1")).success()
    file = node.paths.plugin / ".attach"
    file.unlink()
    file.mkdir()  # nobody can read that, root neither
    for reply in (
        node.call("unmount", pod_target("vol1")),
        node.call("mount", pod_target("vol1", SECOND), options("vol1")),
    ):
        reply.failure(f"cannot read {file} (Is a directory)")
    assert pod_target("vol1") in node.helper.mounts
    file.rmdir()
    file.write_text("false\n")
    node.call("unmount", pod_target("vol1")).success()
    until(lambda: not node.maps("vol1") and not node.records() and not node.helper.mounts)


def test_what_does_not_depend_on_the_setting_goes_on_without_it(bench: Bench) -> None:
    bench.create("vol1")
    (bench.paths.plugin / ".attach").mkdir()
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []
