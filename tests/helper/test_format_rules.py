"""Formatting, with true mkfs and blkid on files: only a volume that is proven new (safety.md 6, 7)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import format as formatting
from helper.format import prepare
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType
from tests.helper.replacing import replace
from tests.helper.volume_file import REQUEST, SIZE, UID, mkfs, refused, said, volume, write

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["said", "volume"]
pytestmark = [pytest.mark.slow, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]


def test_an_empty_volume_is_formatted_once(volume: Path) -> None:
    assert prepare(REQUEST, str(volume)) == ("ext4", True)
    assert prepare(REQUEST, str(volume)) == ("ext4", False)
    assert not list(Path(formatting.RECORDS).iterdir()), "a record that outlives mkfs is a licence to format"


def test_a_file_system_of_ours_is_found_and_left(volume: Path) -> None:
    mkfs(volume)
    before = volume.read_bytes()
    assert prepare(REQUEST, str(volume)) == ("ext4", False)
    assert volume.read_bytes() == before


def test_a_foreign_signature_is_named(volume: Path) -> None:
    mkfs(volume)
    assert "ext4 was found" in refused(volume, replace(REQUEST, fs_type=FsType.parse("xfs")))


@pytest.mark.parametrize("offset", [0, 511, (4 << 20) - 1, SIZE // 5, SIZE - 1])
def test_data_without_any_signature_is_said_with_its_place(volume: Path, offset: int) -> None:
    write(volume, offset, b"x")
    assert f"at byte {offset}" in refused(volume)


def test_zeros_at_both_ends_and_data_between(volume: Path) -> None:
    with volume.open("r+b") as file:
        file.seek(5 << 20)
        file.write(b"d" * (SIZE - (10 << 20)))
    assert "data" in refused(volume)


def test_only_a_backup_superblock(tmp_path: Path, volume: Path) -> None:
    """A volume larger than one block group, of which everything but the first backup was lost."""
    size = 512 << 20
    with volume.open("r+b") as file:
        file.truncate(size)
    mkfs(volume)
    backup = 128 << 20
    with volume.open("r+b") as file:
        file.seek(backup)
        kept = file.read(4096)
        file.truncate(0)
        file.truncate(size)
        file.seek(backup)
        file.write(kept)
    assert "data" in refused(volume, replace(REQUEST, size=Bytes.parse(size)))


def test_a_signature_that_cannot_be_read_is_no_empty_volume(
    volume: Path, said: Callable[..., list[str]]
) -> None:
    """blkid fails: its status 2 alone would look like an empty device."""
    said("blkid", "echo cannot read >&2; exit 4")
    assert "cannot be read" in refused(volume, code=Code.FILE_SYSTEM)


def test_what_cannot_be_read_is_no_empty_volume(volume: Path) -> None:
    os.truncate(volume, SIZE - 4096)
    assert "cannot be read" in refused(volume, code=Code.FILE_SYSTEM)


def test_contradictory_signatures_are_refused(volume: Path, said: Callable[..., list[str]]) -> None:
    write(volume, 0)
    said("blkid", "exit 8")
    assert "several" in refused(volume)


def test_the_array_can_only_forbid(volume: Path) -> None:
    assert "does not vouch" in refused(volume, replace(REQUEST, may_format=False))
    write(volume, 0)
    refused(volume)


def test_a_read_only_request_never_formats(volume: Path) -> None:
    refused(volume, replace(REQUEST, read_only=True), Code.READ_ONLY_FIRST_USE)


def test_data_that_appears_just_before_mkfs_stops_it(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is repeated directly before mkfs starts."""
    true_record = formatting._record

    def meanwhile(*what: object) -> None:
        true_record(*what)  # type: ignore[arg-type]
        write(volume, 0)

    monkeypatch.setattr(formatting, "_record", meanwhile)
    with pytest.raises(Fault, match="just now"):
        prepare(REQUEST, str(volume))
    assert volume.read_bytes()[:8] == b"precious"
    assert not list(Path(formatting.RECORDS).iterdir())


def test_mkfs_discards_nothing_and_initialises_lazily(volume: Path, said: Callable[..., list[str]]) -> None:
    lines = said("mkfs.ext4")
    prepare(REQUEST, str(volume))
    (line,) = lines()  # type: ignore[operator]
    assert "nodiscard" in line
    assert "lazy_itable_init=1" in line
    assert "lazy_journal_init=1" in line
    assert "-K" in formatting._MAKE["xfs"]


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_an_older_mke2fs_does_not_ask_whether_a_whole_disk_is_meant(
    volume: Path, said: Callable[..., list[str]], kind: str
) -> None:
    """Before e2fsprogs 1.43 it asks, and no answer is a no; given twice, -F takes a mounted one."""
    lines = said(f"mkfs.{kind}")
    prepare(replace(REQUEST, fs_type=FsType.parse(kind)), str(volume))
    (line,) = lines()  # type: ignore[operator]
    assert line.split().count("-F") == 1


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_no_part_of_a_volume_is_kept_back_for_root(volume: Path, kind: str) -> None:
    """Pods see «no space left» at 95 % otherwise."""
    prepare(replace(REQUEST, fs_type=FsType.parse(kind)), str(volume))
    block = volume.read_bytes()[1024:2048]
    assert block[56:58] == b"\x53\xef"
    assert int.from_bytes(block[8:12], "little") == 0  # s_r_blocks_count


def test_mkfs_has_a_deadline_of_its_own(
    volume: Path, said: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said("mkfs.ext4", "sleep 30")
    monkeypatch.setattr(formatting, "_MKFS", 0.5)
    with pytest.raises(Fault, match="did not end in time"):
        prepare(REQUEST, str(volume))
    assert (Path(formatting.RECORDS) / UID).exists(), "nobody may finish it"
