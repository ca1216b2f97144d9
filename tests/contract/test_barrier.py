"""Barrier, as both helpers keep it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.world import OTHER, UID

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess


def test_a_record_is_kept_and_forgotten_with_its_file(node: Node) -> None:
    record = json.dumps({"uid": UID})
    assert node.call("Barrier", uid=UID, record=record, text=f"step 3 of {UID}").ok().records == (record,)
    assert node.world.barrier_text() == f"step 3 of {UID}"
    assert node.call("Barrier", uid=UID, record="{}").ok().records == ("{}",)
    assert node.world.barrier_text() == f"step 3 of {UID}", "no text leaves the file"
    assert node.call("Barrier").ok().records == ("{}",)
    assert node.call("Barrier", uid=UID, erase=True).ok().records == ()
    assert node.world.barrier_text() is None


def test_another_volumes_barrier_file_stays(node: Node) -> None:
    node.call("Barrier", uid=UID, record="{}", text=f"of {UID}").ok()
    assert node.call("Barrier", uid=OTHER, record='{"b": 1}').ok().records == ("{}", '{"b": 1}')
    assert node.call("Barrier", uid=OTHER, erase=True).ok().records == ("{}",)
    assert node.world.barrier_text() == f"of {UID}"
    assert node.call("Barrier", uid=UID, erase=True, text="done").ok().records == ()
    assert node.world.barrier_text() == "done"


@pytest.mark.parametrize(
    "wrong",
    [
        {"record": "{}"},
        {"text": "x"},
        {"erase": True},
        {"uid": UID, "record": "{}", "erase": True},
        {"uid": UID, "record": "no JSON"},
        {"uid": UID, "record": "[]"},
        {"uid": UID, "record": json.dumps({"long": "x" * 8192})},
        {"uid": UID, "text": "x" * (24 * 1024 + 1)},
    ],
)
def test_a_malformed_barrier_is_refused(node: Node, wrong: dict[str, Any]) -> None:
    assert node.call("Barrier", **wrong).code == "bad-request"
    assert node.call("Barrier").ok().records == ()
    assert node.world.barrier_text() is None


def test_no_more_than_six_records(node: Node) -> None:
    uids = [UID[:-1] + str(number) for number in range(7)]
    for uid in uids[:6]:
        node.call("Barrier", uid=uid, record="{}").ok()
    assert node.call("Barrier", uid=uids[6], record="{}").code == "barrier"
    node.call("Barrier", uid=uids[0], record='{"again": 1}').ok()


def test_a_file_that_cannot_be_written_leaves_the_record(node: Node) -> None:
    node.world.spoil_plugin_directory()
    assert node.call("Barrier", uid=UID, record="{}", text="x").code == "bad-configuration"
    assert node.call("Barrier").ok().records == ("{}",)
    assert node.world.barrier_text() is None
