"""What Mount does before it mounts: looks, formats or refuses to, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.world import UID

if TYPE_CHECKING:
    from tests.contract.world import Node

pytestmark = pytest.mark.subprocess


def test_a_new_volume_is_formatted_and_mounted_once(node: Node) -> None:
    node.attached()
    reply = node.mount().ok()
    assert (reply.fs_type, reply.formatted, reply.already, reply.multipath, reply.paths) == (
        "ext4", True, False, True, 2,
    )  # fmt: skip
    assert reply.device.endswith(f"dm-uuid-mpath-3{UID}")
    again = node.mount().ok()
    assert (again.formatted, again.already) == (False, True)
    node.unmount().ok()
    assert node.mount(may_format=False).ok().formatted is False


@pytest.mark.parametrize(
    "forbidden", [{"may_format": False}, {"copied": True}, {"may_format": False, "copied": True}]
)
def test_what_the_array_does_not_vouch_for_is_not_formatted(node: Node, forbidden: dict[str, Any]) -> None:
    node.attached()
    assert node.mount(**forbidden).code == "not-empty"
    assert node.mounts() == set()


@pytest.mark.parametrize("may_format", [True, False])
def test_a_first_use_is_read_write(node: Node, may_format: bool) -> None:
    node.attached()
    assert node.mount(read_only=True, may_format=may_format).code == "read-only-first-use"


def test_data_that_is_no_file_system_is_never_formatted(node: Node) -> None:
    node.attached()
    node.world.holds(UID, "")
    assert node.mount().code == "not-empty"
    assert node.mount(read_only=True).code == "not-empty"


@pytest.mark.parametrize(("there", "code"), [("ext3", ""), ("ext4", ""), ("xfs", "not-empty")])
def test_the_file_system_that_is_there_is_used_or_refused(node: Node, there: str, code: str) -> None:
    node.attached()
    node.world.holds(UID, there)
    answer = node.mount()
    assert answer.code == code
    assert code or answer.reply.fs_type == there


def test_a_format_that_was_broken_off_is_repeated_only_with_the_same_licence(node: Node) -> None:
    node.attached()
    node.world.break_mkfs()
    assert node.mount().code == "tool-failed"
    assert node.inspect().formatting is True
    assert node.mount(may_format=False).code == "not-empty"
    assert node.mount(copied=True).code == "not-empty"
    assert node.mount(read_only=True).code == "not-empty"
    assert node.inspect().formatting is True
    assert node.mount().ok().formatted is True
    assert node.inspect().formatting is False


def test_the_record_of_a_format_goes_only_with_a_volume_that_has_vanished(node: Node) -> None:
    node.attached()
    node.world.break_mkfs()
    node.mount()
    node.detach(vanished=True).ok()
    assert node.inspect().formatting is True, "it was here: so it was no volume that has vanished"
    assert node.call("Inspect", more=True).ok().formatting is True
    node.detach().ok()
    assert node.inspect().formatting is True
    node.detach(vanished=True).ok()
    assert node.inspect().formatting is False


def test_a_damaged_file_system_is_not_mounted_read_write(node: Node) -> None:
    node.attached()
    node.world.holds(UID, "ext4")
    node.world.damage(UID)
    assert node.mount().code == "file-system"
    node.mount(read_only=True).ok()
