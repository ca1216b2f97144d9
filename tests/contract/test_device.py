"""Initiator, Inspect, Attach and Detach, as both helpers do them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.world import ADAPTERS, GIB, OTHER, PORTS, UID

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess


@pytest.mark.parametrize("name", ["iqn.1993-08.org.debian:01:node1", None])
def test_the_initiators_name(node: Node, name: str | None) -> None:
    node.world.initiator(name)
    assert (node.call("Initiator").ok().iqn, node.call("Initiator").ok().wwpns) == (name, ())


def test_nothing_is_known_of_a_volume_that_is_not_here(node: Node) -> None:
    found = node.inspect()
    assert (found.uid, found.device, found.size, found.multipath) == (UID, None, 0, False)
    assert (found.paths, found.mounts, found.holders, found.formatting) == ((), (), (), False)


def test_what_is_known_of_a_volume_in_use(node: Node) -> None:
    node.mounted()
    node.bind(read_only=True).ok()
    found = node.inspect()
    assert found.device.endswith(f"/disk/by-id/dm-uuid-mpath-3{UID}")
    assert (found.multipath, found.size, len(found.paths)) == (True, GIB, 2)
    told = {(mount.target, mount.fs_type, mount.read_only, mount.trouble) for mount in found.mounts}
    assert told == {(node.device(), "ext4", False, ""), (node.pod(), "ext4", True, "")}


@pytest.mark.parametrize(
    ("how", "read_only"), [("shutdown", True), ("emergency_ro", True), ("errors", False)]
)
def test_a_file_system_that_the_kernel_distrusts_is_told(node: Node, how: str, read_only: bool) -> None:
    node.mounted()
    node.world.stop_file_system(UID, how)
    (mount,) = node.inspect().mounts
    assert mount.trouble
    assert mount.read_only is read_only


def test_who_has_built_on_it_is_told(node: Node) -> None:
    node.attached()
    node.world.build_above(UID)
    assert len(node.inspect().holders) == 1


def test_all_volumes_come_one_reply_each_and_only_with_more(node: Node) -> None:
    assert node.call("Inspect").code == "bad-request"
    assert node.call("Inspect", more=True).ok().uid is None
    node.attached()
    node.attached(OTHER)
    assert [reply.uid for reply in node.call("Inspect", more=True).ok()] == [UID, OTHER]


def test_an_attach_makes_a_map_of_both_paths(node: Node) -> None:
    node.world.show(UID)
    reply = node.attach().ok()
    assert reply.device.endswith(f"/disk/by-id/dm-uuid-mpath-3{UID}")
    assert (reply.multipath, len(reply.found), reply.refused) == (True, 2, ())
    assert node.attach().ok() == reply, "asked again it is there"


def test_one_path_is_enough_and_has_a_map_too(node: Node) -> None:
    node.world.show(UID)
    reply = node.attach(paths=node.paths(count=1)).ok()
    assert (reply.multipath, len(reply.found), reply.refused) == (True, 1, ())


@pytest.mark.parametrize("before", [False, True])
def test_a_path_that_is_silent_is_refused_by_name_and_the_other_used(node: Node, before: bool) -> None:
    node.world.show(UID)
    if before:
        node.attach().ok()
    node.world.silence(UID, 1)
    reply = node.attach().ok()
    assert len(reply.found) == 1
    assert [(str(one.path.portal), one.code) for one in reply.refused] == [("10.9.1.1:3260", "no-path")]


def test_without_a_map_one_disk_is_used_and_that_is_told(node: Node) -> None:
    node.world.show(UID)
    node.world.no_map()
    reply = node.attach().ok()
    assert reply.device.endswith(f"/disk/by-id/wwn-0x{UID}")
    assert (reply.multipath, len(reply.found)) == (False, 2)
    assert node.inspect().multipath is False


def test_where_a_map_is_demanded_there_is_no_attach_without(node: Node) -> None:
    node.world.show(UID)
    node.world.no_map()
    assert node.attach(multipath="required").code == "no-multipath"


def test_a_volume_that_the_array_does_not_show_has_no_path(node: Node) -> None:
    assert node.attach().code == "no-path"
    assert node.attach(paths=[]).code == "no-path"
    assert node.inspect().paths == ()


def test_a_volume_that_was_unmapped_has_no_path_although_its_disks_are_here(node: Node) -> None:
    node.attached()
    node.world.withdraw(UID)
    assert node.attach().code == "no-path"
    assert len(node.inspect().paths) == 2


@pytest.mark.parametrize("before", [False, True])
def test_another_volume_behind_the_lun_is_never_taken(node: Node, before: bool) -> None:
    node.world.show(UID)
    if before:
        node.attach().ok()
    node.world.replace(UID)
    assert node.attach().code == "wrong-device"


@pytest.mark.parametrize("before", [False, True])
def test_another_size_than_the_arrays_is_never_taken(node: Node, before: bool) -> None:
    node.world.show(UID)
    if before:
        node.attach().ok()
    assert node.attach(size=2 * GIB).code == "wrong-device"


def test_no_more_than_sixteen_paths(node: Node) -> None:
    node.world.show(UID)
    many = [
        {**path, "portal": f"10.9.{number}.1:3260"} for number in range(17) for path in node.paths(count=1)
    ]
    assert node.attach(paths=many).code == "bad-request"


def test_a_detach_removes_map_and_disks(node: Node) -> None:
    node.attached()
    reply = node.detach().ok()
    assert (len(reply.removed), reply.lost) == (3, False)
    assert node.inspect().paths == ()
    assert node.inspect().device is None
    assert node.detach().ok().removed == (), "what is gone is success"


def test_a_detach_takes_a_volume_down_that_was_unmapped(node: Node) -> None:
    node.attached()
    node.world.withdraw(UID)
    assert len(node.detach().ok().removed) == 3


def test_a_detach_says_that_writes_were_lost(node: Node) -> None:
    node.attached()
    node.world.lose_writes(UID)
    assert node.detach().ok().lost is True
    assert node.inspect().paths == ()


def test_a_detach_takes_disks_without_a_map_as_well(node: Node) -> None:
    node.world.show(UID)
    node.world.no_map()
    node.attach().ok()
    assert len(node.detach().ok().removed) == 2
    assert node.inspect().device is None


@pytest.mark.parametrize("who", ["foreign_mount", "mount_by_hand", "open_by_program", "build_above"])
def test_nobody_loses_a_device_that_he_uses(node: Node, who: str) -> None:
    node.attached()
    getattr(node.world, who)(UID)
    assert node.detach().code == "device-busy"
    assert len(node.inspect().paths) == 2


def test_a_device_that_is_mounted_stays(node: Node) -> None:
    node.mounted()
    assert node.detach().code == "device-busy"
    node.unmount().ok()
    node.detach().ok()


def test_the_ports_of_adapters(node: Node) -> None:
    node.world.plug()
    assert node.call("Initiator").ok().wwpns == ADAPTERS


def test_over_fibre_channel_each_adapter_has_a_path_to_each_port(node: Node) -> None:
    node.world.plug()
    node.world.show(UID)
    reply = node.attach_over_fc().ok()
    assert (reply.multipath, len(reply.found), reply.refused) == (True, 4, ())
    ends = {(path.initiator, path.target, path.portal) for path in node.inspect().paths}
    assert ends == {(ours, port, None) for ours in ADAPTERS for port in PORTS}
    assert len(node.detach().ok().removed) == 5


def test_a_port_that_no_adapter_sees_is_refused_and_the_other_used(node: Node) -> None:
    node.world.plug()
    node.world.show(UID)
    node.world.unplug(PORTS[1])
    reply = node.attach_over_fc().ok()
    assert len(reply.found) == 2
    (refused,) = reply.refused
    assert (refused.code, refused.fc_path.target) == ("portal-unreachable", PORTS[1])
    node.detach().ok()
    node.world.unplug(PORTS[0])
    assert node.attach_over_fc().code == "no-path"


def test_adapters_count_among_the_sixteen_paths(node: Node) -> None:
    node.world.plug()
    node.world.show(UID)
    assert node.attach(paths=node.paths() * 8, fc_paths=node.fc_paths(count=1)).code == "bad-request"


def test_both_links_at_once(node: Node) -> None:
    node.world.plug()
    node.world.show(UID)
    assert len(node.attach(fc_paths=node.fc_paths()).ok().found) == 6


def test_over_fibre_channel_another_volume_is_never_taken_either(node: Node) -> None:
    node.world.plug()
    node.world.show(UID)
    node.attach_over_fc().ok()
    node.world.replace(UID)
    assert node.attach_over_fc().code == "wrong-device"
