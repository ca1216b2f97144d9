"""Formatting, with true mkfs and blkid on files: only a volume that is proven new (safety.md 6, 7)."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import content, program
from helper import format as formatting
from helper.format import prepare
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import MountRequest, Multipath

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

UID = "600507600089000" + "0" * 16 + "1"
SIZE = 128 << 20
IDENTITY = "11111111-2222-3333-4444-555555555555"
REQUEST = MountRequest(
    RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(SIZE), "/x", FsType.parse("ext4"), False, True,
    Multipath.PREFERRED,
)  # fmt: skip


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty volume, and a place for the records of formats."""
    monkeypatch.setattr(formatting, "RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(program, "confine", lambda *_, **__: None)  # no file grows: here a volume is one
    path = tmp_path / "volume"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[str]]:
    """Put a shell line before a program, and note its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(program, "DIRECTORIES", (str(folder), *program.DIRECTORIES))

    def wrap(name: str, line: str = "") -> list[str]:
        true = next(
            (f"{at}/{name}" for at in program.DIRECTORIES[1:] if os.path.exists(f"{at}/{name}")), "true"
        )
        (folder / name).write_text(f'#!/bin/sh\necho "$*" >> {folder}/said\n{line}\nexec {true} "$@"\n')
        (folder / name).chmod(0o755)
        return _Lines(folder / "said")

    return wrap


class _Lines(list[str]):
    """The lines of a file, read when they are looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __call__(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []


def mkfs(path: Path, identity: str = IDENTITY) -> None:
    argv = ("/usr/sbin/mkfs.ext4", "-q", "-F", "-U", identity, str(path))
    subprocess.run(argv, check=True, timeout=60, stdin=subprocess.DEVNULL)


def wipe(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


def write(path: Path, offset: int, data: bytes = b"precious") -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def record(identity: str = IDENTITY) -> Path:
    folder = Path(formatting.RECORDS)
    folder.mkdir(exist_ok=True)
    (folder / UID).write_text(json.dumps({"schema": 1, "uid": UID, "size": SIZE, "uuid": identity}))
    return folder / UID


def refused(path: Path, request: MountRequest = REQUEST, code: Code = Code.NOT_EMPTY) -> str:
    before = path.read_bytes()
    with pytest.raises(Fault) as raised:
        prepare(request, str(path))
    print(raised.value)
    assert raised.value.code is code
    assert path.read_bytes() == before, "something was written"
    return raised.value.sentence


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
    refused(volume, replace(REQUEST, **changed))  # type: ignore[arg-type]


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
