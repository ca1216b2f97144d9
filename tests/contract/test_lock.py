"""Lock and Unlock, connections and messages, as both helpers take them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.world import UID, until

if TYPE_CHECKING:
    from tests.contract.world import Caller, Node

pytestmark = pytest.mark.subprocess


def test_shared_locks_stand_beside_each_other_and_an_exclusive_one_alone(node: Node) -> None:
    first, second, third = (node.connect() for _ in range(3))
    first.call("Lock", mode="shared").ok()
    second.call("Lock", mode="shared").ok()
    assert third.call("Lock", mode="exclusive", wait_ms=100).code == "lock-timeout"
    first.call("Unlock").ok()
    assert third.call("Lock", mode="exclusive", wait_ms=100).code == "lock-timeout"
    second.call("Unlock").ok()
    third.call("Lock", mode="exclusive").ok()
    assert first.call("Lock", mode="shared", wait_ms=100).code == "lock-timeout"


def test_it_is_renewed_and_not_changed(node: Node) -> None:
    node.call("Lock", mode="shared").ok()
    node.call("Lock", mode="shared").ok()
    assert node.call("Lock", mode="exclusive").code == "bad-request"
    node.call("Unlock").ok()
    node.call("Unlock").ok()
    node.call("Lock", mode="exclusive").ok()


def test_the_end_of_the_connection_gives_it_up(node: Node) -> None:
    other = node.connect()
    other.call("Lock", mode="exclusive").ok()
    other.close()
    node.call("Lock", mode="exclusive", wait_ms=5000).ok()


@pytest.mark.parametrize("verb", ["Lock", "Unlock", "Inspect"])
def test_the_end_of_the_lease_gives_it_up_and_ends_what_the_connection_may(node: Node, verb: str) -> None:
    other = node.connect()
    other.call("Lock", mode="exclusive", lease_ms=100).ok()
    node.call("Lock", mode="exclusive", wait_ms=5000).ok()
    more: dict[str, Any] = {"Lock": {"mode": "exclusive"}, "Inspect": {"uid": UID}}.get(verb, {})
    assert other.call(verb, **more).code == "lock-lost"


def test_a_lease_that_is_renewed_lasts_longer(node: Node) -> None:
    node.call("Lock", mode="exclusive", lease_ms=1000).ok()
    node.call("Lock", mode="exclusive", lease_ms=20000).ok()
    begun = time.monotonic()
    assert node.connect().call("Lock", mode="shared", wait_ms=1300).code == "lock-timeout"
    assert time.monotonic() - begun > 1.2
    node.call("Unlock").ok()


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [
        ("Lock", {"mode": "shared", "lease_ms": 3_600_001, "wait_ms": 0}),
        ("Lock", {"mode": "shared", "lease_ms": 1000, "wait_ms": -1}),
        ("Lock", {"mode": "both", "lease_ms": 1000, "wait_ms": 0}),
        ("Detach", {"uid": "x", "wait_ms": 0}),
        ("Detach", {"uid": UID}),
        ("Detach", {"uid": UID, "wait_ms": 0, "frobnicate": True}),
        ("Unmount", {"target": 1}),
    ],
)
def test_a_malformed_request_is_refused(node: Node, verb: str, wrong: dict[str, Any]) -> None:
    assert node.connect().call(verb, raw=True, **wrong).code == "bad-request"


def test_one_connection_too_many_is_told_so_and_has_done_nothing(node: Node) -> None:
    extra: list[Caller] = [node.connect() for _ in range(node.world.most - 1)]
    for caller in extra:
        caller.call("Inspect", uid=UID).ok()
    refused = node.connect()
    assert refused.call("Lock", mode="exclusive").code == "helper-busy"
    extra[0].call("Lock", mode="exclusive").ok()
    extra[1].close()

    def served() -> bool:
        return node.connect().call("Inspect", uid=UID).code == ""

    assert until(served)
