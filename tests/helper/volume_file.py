"""A volume that is a file, and a format of it with true mkfs and blkid."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from helper import format as formatting
from helper import program
from helper.format import prepare
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import MountRequest, Multipath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def write(path: Path, offset: int, data: bytes = b"precious") -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def refused(path: Path, request: MountRequest = REQUEST, code: Code = Code.NOT_EMPTY) -> str:
    before = path.read_bytes()
    with pytest.raises(Fault) as raised:
        prepare(request, str(path))
    print(raised.value)
    assert raised.value.code is code
    assert path.read_bytes() == before, "something was written"
    return raised.value.sentence
