"""Mount, Bind and Unmount, as both helpers do them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.world import GIB, OTHER, SECOND, UID

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess
DISTRUSTED = ["shutdown", "emergency_ro", "errors"]


def test_a_shared_volume_has_no_writer(node: Node) -> None:
    node.attached()
    node.world.holds(UID, "ext4")
    assert node.mount(shared=True).code == "not-allowed"
    node.mount(shared=True, read_only=True).ok()


@pytest.mark.parametrize("where", ["pod", "elsewhere", "relative"])
def test_a_volume_is_mounted_on_a_device_mount_alone(node: Node, where: str) -> None:
    node.attached()
    device = node.device()
    target = {"pod": node.pod(), "elsewhere": "/etc", "relative": f"{device}/../x"}[where]
    assert node.mount(target=target).code == "not-allowed"


def test_a_volume_without_a_device_has_no_path(node: Node) -> None:
    assert node.mount().code == "no-path"
    assert node.mount(multipath="required").code == "no-path"


@pytest.mark.parametrize("before", [False, True])
def test_a_mount_is_looked_at_by_size_and_by_who_answers(node: Node, before: bool) -> None:
    node.attached()
    if before:
        node.mount().ok()
    assert node.mount(size=2 * GIB).code == "wrong-device"
    node.world.silence(UID, 0)
    node.mount().ok()
    node.world.silence(UID, 1)
    assert node.mount().code == "no-path"


@pytest.mark.parametrize("before", [False, True])
def test_an_unmapped_volume_is_not_mounted(node: Node, before: bool) -> None:
    node.attached()
    if before:
        node.mount().ok()
    node.world.withdraw(UID)
    assert node.mount().code == "no-path"


def test_another_volume_on_the_target_stays(node: Node) -> None:
    node.mounted()
    node.attached(OTHER)
    assert node.mount(OTHER, target=node.device()).code == "not-ours"
    node.world.strange_mount(node.device(OTHER))
    assert node.mount(OTHER).code == "not-ours"


@pytest.mark.parametrize("who", ["foreign_mount", "mount_by_hand", "build_above"])
def test_a_volume_that_somebody_uses_is_not_mounted(node: Node, who: str) -> None:
    node.attached()
    getattr(node.world, who)(UID)
    assert node.mount().code == "device-busy"


def test_a_volume_has_one_device_mount(node: Node) -> None:
    node.mounted()
    assert node.mount(target=node.device(OTHER)).code == "device-busy"


def test_without_a_map_a_mount_tells_how_many_paths_there_are_and_refuses_where_one_is_demanded(
    node: Node,
) -> None:
    node.world.show(UID)
    node.world.no_map()
    node.attach().ok()
    assert node.mount(multipath="required").code == "no-multipath"
    reply = node.mount().ok()
    assert (reply.multipath, reply.paths) == (False, 2)
    assert node.mount(multipath="required").code == "no-multipath"
    assert node.mount().ok().already is True


def test_a_map_that_came_too_late_for_the_attach_is_mounted(node: Node) -> None:
    node.world.show(UID)
    node.world.no_map()
    assert node.attach().ok().multipath is False
    node.world.no_map(again=True)
    reply = node.mount(multipath="required").ok()
    assert reply.device.endswith(f"dm-uuid-mpath-3{UID}")
    assert (reply.multipath, reply.paths) == (True, 2)


@pytest.mark.parametrize("how", DISTRUSTED)
def test_a_stopped_file_system_is_not_handed_out(node: Node, how: str) -> None:
    node.mounted()
    node.world.stop_file_system(UID, how)
    code = "file-system" if how == "shutdown" else ""
    assert node.mount().code == node.bind().code == "file-system"
    assert node.mount(read_only=True).code == node.bind(read_only=True).code == code
    assert node.unmount().code == "" or code
    assert node.unmount(node.pod()).code == ""


def test_a_bind_is_there_once_as_it_was_asked_for(node: Node) -> None:
    node.mounted()
    assert node.bind().ok().already is False
    assert node.bind().ok().already is True
    assert node.bind(target=node.pod(pod=SECOND), read_only=True).ok().already is False
    assert node.mounts() == {node.device(), node.pod(), node.pod(pod=SECOND)}


def test_a_writer_gets_no_read_only_mount(node: Node) -> None:
    node.attached()
    node.world.holds(UID, "ext4")
    node.mount(read_only=True).ok()
    assert node.mount().code == node.bind().code == "file-system"
    node.bind(read_only=True).ok()


def test_a_pod_gets_no_other_volume_than_is_meant(node: Node) -> None:
    node.mounted()
    assert node.bind(uid=OTHER).code == "not-ours"
    assert node.mounts() == {node.device()}


def test_a_pod_gets_the_volume_of_its_directorys_name_alone(node: Node) -> None:
    node.mounted()
    node.attached(OTHER)
    for changed in (
        {"target": node.pod(OTHER)},
        {"source": node.device(OTHER)},
        {"source": node.pod(pod=SECOND)},
        {"target": node.device(OTHER)},
        {"source": "/etc"},
        {"target": "/etc"},
    ):
        assert node.bind(**changed).code == "not-allowed", changed


def test_what_is_not_mounted_is_not_bound(node: Node) -> None:
    node.attached()
    assert node.bind().code == "not-ours"
    node.world.strange_mount(node.device())
    assert node.bind().code == "not-ours"


def test_a_pods_directory_that_somebody_else_uses_stays(node: Node) -> None:
    node.mounted()
    node.world.strange_mount(node.pod())
    assert node.bind().code == "not-ours"
    assert node.unmount(node.pod()).code == "not-ours"


def test_an_unmount_says_what_was_there_and_is_success_without(node: Node) -> None:
    node.mounted()
    node.bind().ok()
    assert node.unmount(node.pod()).ok().uid == UID
    assert node.unmount().ok().uid == UID
    assert node.unmount().ok().uid is None
    assert node.unmount(node.pod(pod=SECOND)).ok().uid is None


def test_an_unmount_says_that_writes_were_lost(node: Node) -> None:
    node.mounted()
    node.world.lose_writes(UID)
    reply = node.unmount().ok()
    assert (reply.uid, reply.lost) == (UID, True)
    assert node.mounts() == set()


def test_nothing_else_is_unmounted(node: Node) -> None:
    for target in ("/", "/etc", f"{node.device()}/x"):
        assert node.unmount(target).code == "not-allowed"
    node.world.strange_mount(node.device())
    assert node.unmount().code == "not-ours"


def test_a_mount_with_open_files_stays(node: Node) -> None:
    node.mounted()
    node.world.open_files(node.device())
    assert node.unmount().code == "device-busy"
    assert node.mounts() == {node.device()}


def test_another_namespaces_mount_keeps_no_pod_from_ending(node: Node) -> None:
    node.mounted()
    node.world.foreign_mount(UID)
    node.unmount().ok()
    assert node.detach().code == "device-busy"


def test_what_is_called_unmapped_stays_while_a_path_says_otherwise(node: Node) -> None:
    node.mounted()
    assert node.unmount(unmapped=True).code == "device-busy"
    assert node.mounts() == {node.device()}


def test_what_every_path_says_is_unmapped_is_taken_down(node: Node) -> None:
    node.mounted()
    node.bind().ok()
    node.world.withdraw(UID)
    assert node.unmount(node.pod(), unmapped=True).ok().uid == UID
    assert node.unmount(unmapped=True).ok().uid == UID
    assert node.unmount(unmapped=True).ok().uid is None


@pytest.mark.parametrize("who", ["foreign_mount", "mount_by_hand", "build_above"])
def test_what_is_unmapped_stays_while_anybody_but_kubelet_has_it(node: Node, who: str) -> None:
    node.mounted()
    node.world.withdraw(UID)
    getattr(node.world, who)(UID)
    assert node.unmount(unmapped=True).code == "device-busy"
    assert node.device() in node.mounts()
