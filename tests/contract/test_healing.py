"""Attach with `add_only`, and Leave, as both helpers do them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.world import GIB, UID

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess


def test_a_path_is_added_to_a_volume_in_use(node: Node) -> None:
    node.world.show(UID)
    node.attach(paths=node.paths(count=1)).ok()
    node.mount().ok()
    reply = node.attach(paths=node.paths(), add_only=True).ok()
    assert (reply.multipath, len(reply.found), reply.queueing) == (True, 2, "60 chk 0")
    assert len(node.inspect().paths) == 2


@pytest.mark.parametrize("state", ["not here", "not mounted", "without a map"])
def test_only_a_volume_that_is_mounted_through_a_map_is_healed(node: Node, state: str) -> None:
    node.world.show(UID)
    if state == "without a map":
        node.world.no_map()
    if state != "not here":
        node.attach().ok()
    if state == "without a map":
        node.mount().ok()
    assert node.attach(add_only=True).code == "no-multipath"


def test_a_path_is_added_with_the_size_of_the_map(node: Node) -> None:
    node.mounted()
    assert node.attach(add_only=True, size=2 * GIB).code == "no-multipath"


def test_no_session_is_left_that_leads_nowhere_when_there_is_none(node: Node) -> None:
    node.call("Leave", portals=["10.9.7.1:3260"]).ok()
