"""A node whose host object has another name on the array, or is gone: what is said of its volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]


def test_no_volume_is_called_unmapped_when_its_host_object_was_renamed(node: Node) -> None:
    node.in_use("vol1", "vol2")
    node.array._cli.operate("chhost", "-name", "rack7-node1", "iscsi-node1")
    (found,) = node.found()
    assert found["code"] == "initiator-not-unique"
    assert "rack7-node1" in found["sentence"]


def test_an_unmapped_volume_is_found_also_below_a_renamed_host_object(node: Node) -> None:
    node.in_use("vol1", "vol2")
    node.array._cli.operate("chhost", "-name", "rack7-node1", "iscsi-node1")
    node.array.unmap_volume(VolumeName("vol1"), "rack7-node1")
    codes = {(one["code"], one["volume"]) for one in node.found()}
    assert codes == {("initiator-not-unique", ""), ("unmapped-outside", "vol1")}


def test_volumes_of_a_clone_with_this_initiator_name_are_not_told_as_this_nodes(node: Node) -> None:
    node.make_host("iscsi-clone")
    node.create("another")
    node.map("another", "iscsi-clone")
    assert node.codes() == ["initiator-not-unique"]


def test_where_no_host_object_has_this_nodes_port_it_is_said_and_no_volume_called_unmapped(
    node: Node,
) -> None:
    node.in_use("vol1", "vol2")
    for name in ("vol1", "vol2"):
        node.array.unmap_volume(VolumeName(name), "iscsi-node1")
    node.array._cli.operate("rmhost", "iscsi-node1")
    (found,) = node.found()
    assert (found["code"], found["severity"]) == ("host-object-missing", "warning")
    assert "2 of its volumes are in use here" in found["sentence"]
