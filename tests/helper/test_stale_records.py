"""A record of a format that outlived it, and a blkid that cannot read: nothing is ever made over data.

blkid's status 2 is «nothing found» and «could not read» alike, and the second without a word on EIO.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import content, program
from helper import format as formatting
from helper.format import prepare
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import MountRequest, Multipath
from tests.helper.host import UID
from tests.helper.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    Wrap = Callable[[str, str], Path]

pytestmark = [pytest.mark.slow, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

SIZE = 32 << 20
IDENTITY = "11111111-2222-3333-4444-555555555555"
OTHERS = "99999999-2222-3333-4444-555555555555"
MOUNTED_ONCE = {1024 + 52: b"\1\0"}  # s_mnt_count
NEEDS_RECOVERY = {1024 + 96: b"\4"}  # of s_feature_incompat
RAW = b"precious" * (1 << 20)
REQUEST = MountRequest(
    RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(SIZE), "/x", FsType.parse("ext4"), False, True,
    Multipath.PREFERRED,
)  # fmt: skip


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty volume, and this host's record of a format of it."""
    monkeypatch.setattr(formatting, "RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(program, "confine", lambda *_, **__: None, raising=False)  # else no file grows
    (tmp_path / "records").mkdir(mode=0o700)
    record = {"schema": 1, "uid": UID, "size": SIZE, "uuid": IDENTITY}
    (tmp_path / "records" / UID).write_text(json.dumps(record))
    path = tmp_path / "volume"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


@pytest.fixture
def wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wrap:
    """Put a shell line before a program; the file that is returned says that it was started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(program, "DIRECTORIES", (str(folder), *program.DIRECTORIES))

    def put(name: str, line: str) -> Path:
        true = next(f"{at}/{name}" for at in program.DIRECTORIES[1:] if os.path.exists(f"{at}/{name}"))
        said = folder / f"{name}.started"
        (folder / name).write_text(f'#!/bin/sh\ntouch {said}\n{line}\nexec {true} "$@"\n')
        (folder / name).chmod(0o755)
        return said

    return put


@pytest.fixture
def blind(wrap: Wrap) -> Path:
    """Have blkid say «nothing found», as it does when it cannot read."""
    return wrap("blkid", "exit 2")


def mkfs(path: Path, identity: str, written: dict[int, bytes]) -> None:
    argv = ("/usr/sbin/mkfs.ext4", "-q", "-F", "-U", identity, str(path))
    subprocess.run(argv, check=True, timeout=60, stdin=subprocess.DEVNULL)
    write(path, written)


def write(path: Path, written: dict[int, bytes]) -> None:
    with path.open("r+b") as file:
        for offset, data in written.items():
            file.seek(offset)
            file.write(data)


def refused(path: Path, code: Code, request: MountRequest = REQUEST) -> str:
    before = path.read_bytes()
    with pytest.raises(Fault) as raised:
        prepare(request, str(path))
    assert path.read_bytes() == before, "something was written"
    assert raised.value.code is code, raised.value
    return raised.value.sentence


@pytest.mark.parametrize(
    ("identity", "written", "may_format"),
    [
        (OTHERS, MOUNTED_ONCE, True),
        (OTHERS, {}, True),
        (IDENTITY, MOUNTED_ONCE, True),
        (IDENTITY, NEEDS_RECOVERY, True),
        (OTHERS, MOUNTED_ONCE, False),
    ],
    ids=["another one, used", "another one", "the same, used", "its journal is full", "not allowed at all"],
)
def test_a_file_system_that_blkid_cannot_read_is_not_made_anew(
    volume: Path, blind: Path, identity: str, written: dict[int, bytes], may_format: bool
) -> None:
    mkfs(volume, identity, written)
    refused(volume, Code.NOT_EMPTY, replace(REQUEST, may_format=may_format))
    assert blind.exists()


def test_the_same_file_system_whose_journal_is_full_is_used_as_it_is(volume: Path) -> None:
    """It was mounted, and its host ended before it could write that down."""
    mkfs(volume, IDENTITY, NEEDS_RECOVERY)
    before = volume.read_bytes()
    assert prepare(REQUEST, str(volume)) == ("ext4", False)
    assert volume.read_bytes() == before


def test_a_superblock_of_the_record_is_not_made_anew_when_the_array_forbids_it(volume: Path) -> None:
    mkfs(volume, IDENTITY, {})
    assert "does not vouch" in refused(volume, Code.NOT_EMPTY, replace(REQUEST, may_format=False))


def test_raw_data_from_the_first_byte_on_is_not_written_over(volume: Path) -> None:
    """No blkid fails here: there is nothing that it could know."""
    write(volume, {0: RAW})
    assert "at byte 0" in refused(volume, Code.NOT_EMPTY)


def test_data_behind_an_empty_beginning_is_not_written_over(volume: Path, blind: Path) -> None:
    write(volume, {SIZE // 2: RAW[: 1 << 20]})
    assert "holds data" in refused(volume, Code.NOT_EMPTY)
    assert blind.exists()


def test_a_first_block_that_cannot_be_read_is_said_as_such(
    volume: Path, blind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just when blkid looks; before and after it, the path works."""
    mkfs(volume, OTHERS, MOUNTED_ONCE)
    true_read = content.read

    def read(descriptor: int, offset: int, length: int) -> bytes:
        if blind.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true_read(descriptor, offset, length)

    monkeypatch.setattr(content, "read", read)
    assert "cannot be read" in refused(volume, Code.FILE_SYSTEM)


def test_a_disk_that_was_never_formatted_and_cannot_be_read_is_said_as_such(
    volume: Path, blind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(content, "read", dead)
    assert "cannot be read" in refused(volume, Code.FILE_SYSTEM)


def test_nothing_found_is_not_believed_when_the_first_block_cannot_be_read(
    volume: Path, blind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks: also the repetition of a format, which looks at no other place."""

    def dead(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert content.signature(str(volume), time.monotonic() + 20) == content.Content()
    monkeypatch.setattr(content, "read", dead)
    with pytest.raises(OSError, match="Input/output error"):
        content.signature(str(volume), time.monotonic() + 20)


def test_a_node_without_the_program_leaves_no_record_of_a_format(
    volume: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else another node formats and fills the volume, and this one has a licence for it."""
    (Path(formatting.RECORDS) / UID).unlink()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/blkid").symlink_to("/usr/sbin/blkid")
    monkeypatch.setattr(program, "DIRECTORIES", (str(tmp_path / "bin"),))
    assert "mkfs.ext4 is not installed" in refused(volume, Code.TOOL_MISSING)
    assert os.listdir(formatting.RECORDS) == []
