"""The archive's file: one folder gives one digest, whoever packs it and when."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from tools.dist import archive
from tools.dist.__main__ import write_sums

if TYPE_CHECKING:
    from pathlib import Path

WHEN = 1_700_000_000


def folder(root: Path, names: list[str], mode: int) -> Path:
    top = root / "top"
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
        (top / name).chmod(mode)
    (top / "bin").mkdir()
    (top / "bin/program").write_text("#!/bin/sh\n")
    (top / "bin/program").chmod(mode | 0o111)
    (top / "current").symlink_to("bin")
    (top / "log").mkdir()
    return top


def test_order_times_and_modes_of_the_packers_files_make_no_difference(tmp_path: Path) -> None:
    names = ["b", "a/z", "a/b", "B"]
    one = folder(tmp_path / "one", names, 0o644)
    two = folder(tmp_path / "two", names[::-1], 0o600)
    os.utime(two / "b", (1, 1))
    for top in (one, two):
        archive.pack(top, top.parent / "made.tar.gz", WHEN)
    assert archive.digest(tmp_path / "one/made.tar.gz") == archive.digest(tmp_path / "two/made.tar.gz")


def test_everything_in_it_is_roots_and_may_be_read(tmp_path: Path) -> None:
    top = folder(tmp_path, ["a/b"], 0o600)
    archive.pack(top, tmp_path / "made.tar.gz", WHEN)
    with tarfile.open(tmp_path / "made.tar.gz") as tar:
        found = {entry.name: entry for entry in tar}
    assert list(found) == [
        "top", "top/a", "top/a/b", "top/bin", "top/bin/program", "top/current", "top/log",
    ]  # fmt: skip
    assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry in found.values()} == {
        (0, 0, "root", WHEN)
    }
    modes = {name: entry.mode for name, entry in found.items() if not entry.issym()}
    assert modes == {name: 0o644 if name == "top/a/b" else 0o755 for name in modes}
    assert found["top/current"].linkname == "bin"


def test_a_build_that_is_broken_off_leaves_the_archive_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.tar.gz").write_text("an earlier one")
    monkeypatch.setattr(tarfile.TarFile, "addfile", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        archive.pack(folder(tmp_path, ["a"], 0o644), tmp_path / "made.tar.gz", WHEN)
    assert (tmp_path / "made.tar.gz").read_text() == "an earlier one"


def test_the_sums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    for name in ("b.deb", "a.tar.gz"):
        (tmp_path / name).write_text("")
    write_sums(tmp_path, [tmp_path / "b.deb", tmp_path / "a.tar.gz"])
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (tmp_path / "SHA256SUMS").read_text() == f"{nothing}  a.tar.gz\n{nothing}  b.deb\n"


@pytest.mark.subprocess
def test_files_that_are_in_no_commit_are_named_before_they_are_packed(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", str(checkout)], check=True, timeout=30)
    assert archive.changed(checkout) == ""
    (checkout / "helper").mkdir()
    (checkout / "helper/left.py").touch()
    assert archive.changed(checkout) == "?? helper/"
