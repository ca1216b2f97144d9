"""A disk that goes while it is looked at is a disk that is gone, not a crash."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from helper import scsi

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_disk_that_vanishes_between_two_looks_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = tmp_path / "block/sda"
    block.mkdir(parents=True)
    (block / "dev").write_text("8:0\n")
    (block / "device").symlink_to(tmp_path)
    monkeypatch.setattr(scsi, "SYS", str(tmp_path))

    def gone(path: str, *, dir_fd: int | None = None) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "readlink", gone)
    assert scsi.disks() == []
