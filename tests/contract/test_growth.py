"""Rescan and GrowFilesystem, as both helpers do them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.world import GIB, OTHER, UID, Answer

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess
LARGE = 2 * GIB


def rescan(node: Node, size: int = LARGE, uid: str = UID) -> Answer:
    return node.call("Rescan", uid=uid, size=size)


def grow(node: Node, target: str = "", uid: str = UID) -> Answer:
    return node.call("GrowFilesystem", uid=uid, target=target or node.device())


def test_every_path_and_the_map_take_the_new_size(node: Node) -> None:
    node.attached()
    node.world.grow(UID, LARGE)
    reply = rescan(node).ok()
    assert reply.device.endswith(f"dm-uuid-mpath-3{UID}")
    assert len(reply.paths) == 2
    assert node.inspect().size == LARGE
    assert {path.size for path in node.inspect().paths} == {LARGE}


def test_with_the_size_of_before_it_proves_the_paths_and_changes_nothing(node: Node) -> None:
    node.attached()
    node.world.grow(UID, LARGE)
    assert len(rescan(node, GIB).ok().paths) == 2
    assert node.inspect().size == GIB


@pytest.mark.parametrize("size", [GIB // 2, LARGE])
def test_no_other_size_than_the_arrays_is_taken(node: Node, size: int) -> None:
    node.attached()
    assert rescan(node, size).code == "wrong-device"
    assert node.inspect().size == GIB


@pytest.mark.parametrize("size", [GIB, LARGE])
def test_all_paths_must_be_up(node: Node, size: int) -> None:
    node.attached()
    node.world.grow(UID, size)
    node.world.silence(UID, 1)
    assert rescan(node, size).code == "no-path"
    assert node.inspect().size == GIB


def test_what_is_not_here_or_unmapped_has_no_path(node: Node) -> None:
    assert rescan(node, GIB).code == "no-path"
    node.attached()
    node.world.withdraw(UID)
    assert rescan(node, GIB).code == "no-path"


def test_another_volume_behind_the_lun_stops_it(node: Node) -> None:
    node.attached()
    node.world.replace(UID)
    assert rescan(node, GIB).code == "wrong-device"


def test_a_map_that_keeps_its_size_is_an_error(node: Node) -> None:
    node.attached()
    node.world.grow(UID, LARGE)
    node.world.keep_map_size(UID)
    assert rescan(node).code == "tool-failed"
    assert node.inspect().size == GIB


def test_a_grown_device_is_attached_and_mounted_with_its_new_size_alone(node: Node) -> None:
    node.mounted()
    node.world.grow(UID, LARGE)
    assert node.attach(size=LARGE).code == node.mount(size=LARGE).code == "wrong-device"
    rescan(node).ok()
    node.attach(size=LARGE).ok()
    node.mount(size=LARGE).ok()


@pytest.mark.parametrize("kind", ["ext3", "ext4", "xfs"])
def test_a_file_system_grows_where_its_volume_is_mounted(node: Node, kind: str) -> None:
    node.attached()
    node.world.holds(UID, kind)
    node.mount(fs_type=kind).ok()
    node.bind().ok()
    for target in (node.device(), node.pod()):
        reply = grow(node, target).ok()
        assert reply.fs_type == kind
        assert reply.size > 0


def test_nothing_grows_where_the_volume_is_not(node: Node) -> None:
    node.mounted()
    assert grow(node, node.pod()).code == "not-ours"
    assert grow(node, uid=OTHER).code == "not-ours"
    assert grow(node, "/etc").code == "not-allowed"


@pytest.mark.parametrize("how", ["shutdown", "emergency_ro", "errors"])
def test_a_file_system_that_the_kernel_distrusts_does_not_grow(node: Node, how: str) -> None:
    node.mounted()
    node.world.stop_file_system(UID, how)
    assert grow(node).code == "file-system"


def test_a_read_only_mount_does_not_grow(node: Node) -> None:
    node.mounted()
    node.bind(read_only=True).ok()
    assert grow(node, node.pod()).code == "file-system"
    grow(node).ok()
