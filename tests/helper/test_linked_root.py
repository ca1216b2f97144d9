"""kubelet's directory may be a symbolic link: what the kernel shows resolved is said as kubelet says it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import mounts
from tests.contract.true_world import TrueWorld
from tests.contract.world import UID, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helper.conftest import Start

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start) -> Iterator[Node]:
    """A volume that is mounted and bound into a pod, through the link."""
    world = TrueWorld(tmp_path, monkeypatch, start, tmp_path / "helper.sock", linked=True)
    made = Node(world)
    made.mounted()
    made.bind().ok()
    resolved = [made.device().replace("/kubelet/", "/disk/", 1), made.pod().replace("/kubelet/", "/disk/", 1)]
    assert Path(world.root).is_symlink()
    assert [row.target for row in mounts.table()] == resolved
    yield made
    made.close()
    world.close()


def test_mounts_are_told_as_kubelet_says_them(node: Node) -> None:
    assert node.mounts() == {node.device(), node.pod()}


def test_a_mount_that_is_no_target_is_told_as_it_is(node: Node) -> None:
    node.world.mount_by_hand(UID)
    assert "/mnt/by-hand" in node.mounts()


def test_what_is_told_can_be_taken_down_when_the_volume_was_fenced(node: Node) -> None:
    node.world.withdraw(UID)
    for target in sorted(node.mounts(), reverse=True):
        assert node.unmount(target, unmapped=True).ok().uid == UID
    assert mounts.table() == []
    node.detach().ok()


@pytest.mark.parametrize("where", ["device", "pod"])
def test_its_file_system_grows(node: Node, where: str) -> None:
    target = {"device": node.device(), "pod": node.pod()}[where]
    assert target in node.mounts()
    assert node.call("GrowFilesystem", uid=UID, target=target).ok().fs_type == "ext4"
