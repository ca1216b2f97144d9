"""A format that was broken off is repeated only with its record, over nothing but its own (safety.md 6)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import content
from helper import format as formatting
from helper.format import prepare
from instorage.wire.fault import Fault
from tests.helper.replacing import replace
from tests.helper.volume_file import IDENTITY, REQUEST, SIZE, UID, mkfs, refused, said, volume, write

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["said", "volume"]
pytestmark = [pytest.mark.slow, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]


def wipe(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


def record(identity: str = IDENTITY) -> Path:
    folder = Path(formatting.RECORDS)
    folder.mkdir(exist_ok=True)
    (folder / UID).write_text(json.dumps({"schema": 1, "uid": UID, "size": SIZE, "uuid": identity}))
    return folder / UID


@pytest.mark.parametrize("wiped", [0, SIZE], ids=["finished", "not begun"])
def test_a_broken_off_mkfs_is_repeated_by_the_node_that_has_its_record(volume: Path, wiped: int) -> None:
    mkfs(volume)
    wipe(volume, 0, wiped)
    there = record()
    assert prepare(REQUEST, str(volume)) == ("ext4", True)
    if not wiped:
        assert content.signature(str(volume), time.monotonic() + 20).uuid == IDENTITY
    assert not there.exists()


@pytest.mark.parametrize("wiped", [4096, 64 << 20])
def test_a_record_is_no_licence_to_format_what_has_lost_its_superblock(volume: Path, wiped: int) -> None:
    """Backups are never marked as used: nobody can say that this is only what mkfs has left."""
    mkfs(volume)
    wipe(volume, 0, wiped)
    record()
    assert "it holds data" in refused(volume)


def test_on_another_node_a_broken_off_mkfs_is_refused_and_says_what_to_do(volume: Path) -> None:
    mkfs(volume)
    wipe(volume, 0, 4096)
    said = refused(volume)
    assert "broken off" in said
    assert "that node may be able to finish it" in said
    assert "empty" not in said


def test_a_record_is_no_licence_to_format_what_was_mounted(volume: Path) -> None:
    mkfs(volume)
    write(volume, 1024 + 52, b"\1\0")  # s_mnt_count
    record()
    before = volume.read_bytes()
    assert prepare(REQUEST, str(volume)) == ("ext4", False)
    assert volume.read_bytes() == before


def test_a_record_is_no_licence_to_format_another_file_system(volume: Path) -> None:
    mkfs(volume, "99999999-2222-3333-4444-555555555555")
    record()
    before = volume.read_bytes()
    assert prepare(REQUEST, str(volume)) == ("ext4", False)
    assert volume.read_bytes() == before


@pytest.mark.parametrize("changed", [{"copied": True}, {"read_only": True}])
def test_a_broken_off_mkfs_is_not_repeated_for_a_request_that_may_not_write(
    volume: Path, changed: dict[str, bool]
) -> None:
    mkfs(volume)
    record()
    refused(volume, replace(REQUEST, **changed))


def test_a_broken_off_mkfs_is_not_repeated_without_the_arrays_word(volume: Path) -> None:
    mkfs(volume)
    record()
    assert "does not vouch" in refused(volume, replace(REQUEST, may_format=False))


def test_the_record_is_on_the_disk_before_mkfs_and_mkfs_gets_its_uuid(
    volume: Path, said: Callable[..., list[str]]
) -> None:
    kept = Path(formatting.RECORDS).with_name("kept")
    lines = said("mkfs.ext4", f"cp {formatting.RECORDS}/{UID} {kept}")
    prepare(REQUEST, str(volume))
    identity = json.loads(kept.read_text())["uuid"]
    assert identity in lines()[0]  # type: ignore[operator]
    assert content.signature(str(volume), time.monotonic() + 20).uuid == identity


def test_mkfs_that_left_nothing_is_not_believed(volume: Path, said: Callable[..., list[str]]) -> None:
    said("mkfs.ext4", "exit 0")
    with pytest.raises(Fault, match="is not there"):
        prepare(REQUEST, str(volume))
    assert (Path(formatting.RECORDS) / UID).exists()
