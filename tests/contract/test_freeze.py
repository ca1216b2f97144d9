"""Freeze and Thaw, as both helpers do them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.world import GIB, OTHER, UID, Answer, until

if TYPE_CHECKING:
    from tests.contract.world import Caller, Node

pytestmark = pytest.mark.subprocess


def freeze(node: Node, caller: Caller | None = None, **changed: Any) -> Answer:
    return (caller or node).call("Freeze", **{"uid": UID, "target": node.device()} | changed)


def thaw(node: Node, caller: Caller | None = None, **changed: Any) -> Answer:
    return (caller or node).call("Thaw", **{"uid": UID, "target": node.device()} | changed)


def test_a_freeze_lasts_until_it_is_thawed(node: Node) -> None:
    node.mounted()
    assert freeze(node).ok().intact is True
    assert node.world.is_frozen(UID)
    assert freeze(node).ok().intact is True
    assert thaw(node).ok().intact is True
    assert not node.world.is_frozen(UID)
    assert thaw(node).ok().intact is False
    assert freeze(node).ok().intact is True, "a connection may freeze again once it has thawed"


def test_the_end_of_the_lease_thaws_and_is_remembered(node: Node) -> None:
    node.mounted()
    assert freeze(node, lease_ms=200).ok().intact is True
    assert until(lambda: not node.world.is_frozen(UID))
    assert [freeze(node).ok().intact, freeze(node).ok().intact] == [False, False]
    assert not node.world.is_frozen(UID), "nothing is frozen behind the agent's back"
    assert thaw(node).ok().intact is False
    assert freeze(node).ok().intact is True


def test_a_lease_that_is_renewed_lasts_longer(node: Node) -> None:
    node.mounted()
    assert freeze(node, lease_ms=1000).ok().intact is True
    assert freeze(node, lease_ms=60000).ok().intact is True
    assert not until(lambda: not node.world.is_frozen(UID), 1.2)


def test_the_end_of_the_connection_thaws(node: Node) -> None:
    node.mounted()
    other = node.connect()
    assert freeze(node, other).ok().intact is True
    other.close()
    assert until(lambda: not node.world.is_frozen(UID))


@pytest.mark.parametrize("ask", [freeze, thaw])
def test_somebody_elses_thaw_is_seen_and_remembered(node: Node, ask: Any) -> None:
    node.mounted()
    freeze(node).ok()
    node.world.thaw_by_hand(UID)
    assert ask(node).ok().intact is False
    if ask is freeze:
        assert node.world.is_frozen(UID)
        assert freeze(node).ok().intact is False
        assert thaw(node).ok().intact is False


def test_what_somebody_else_has_frozen_stays_so(node: Node) -> None:
    node.mounted()
    node.world.freeze_by_hand(UID)
    assert freeze(node).code == "device-busy"
    assert thaw(node).ok().intact is False
    assert node.world.is_frozen(UID)


@pytest.mark.parametrize("lease_ms", [0, 120_001])
def test_a_lease_has_a_limit(node: Node, lease_ms: int) -> None:
    node.mounted()
    assert freeze(node, lease_ms=lease_ms).code == "bad-request"


def test_only_what_is_mounted_there_is_frozen_and_one_volume_at_a_time(node: Node) -> None:
    node.mounted()
    assert freeze(node, target="/etc").code == thaw(node, target="/etc").code == "not-allowed"
    assert freeze(node, uid=OTHER).code == "not-ours"
    assert freeze(node, target=node.pod()).code == "not-ours"
    assert not node.world.is_frozen(UID)
    freeze(node).ok()
    assert freeze(node, uid=OTHER).code == "bad-request"
    assert thaw(node, uid=OTHER).ok().intact is False
    assert thaw(node).ok().intact is True


def test_a_frozen_volume_is_worked_on_by_nobody(node: Node) -> None:
    node.mounted()
    freeze(node).ok()
    other = node.connect()
    requests: dict[str, dict[str, Any]] = {
        "Attach": {"uid": UID, "paths": node.paths(), "wait_ms": 300},
        "Detach": {"uid": UID, "wait_ms": 300},
        "Mount": {"uid": UID, "target": node.device()},
        "Bind": {"uid": UID, "source": node.device(), "target": node.pod()},
        "Unmount": {"target": node.device()},
        "Rescan": {"uid": UID, "size": GIB, "wait_ms": 300},
        "GrowFilesystem": {"uid": UID, "target": node.device()},
        "Freeze": {"uid": UID, "target": node.device()},
    }
    for verb, request in requests.items():
        assert other.call(verb, **request).code == "lock-timeout", verb
    assert node.call("GrowFilesystem", **requests["GrowFilesystem"]).code == "lock-timeout", (
        "not by who has frozen it either"
    )
    assert thaw(node, other).ok().intact is False
    assert other.call("Inspect", uid=UID).ok().size == GIB
    assert other.call("Barrier").ok().records == ()
    assert thaw(node).ok().intact is True
