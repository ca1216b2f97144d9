"""What our Python is made of: Debian's sources with their mends, wheels by the lock files, nothing else."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tools.dist import glibc, sources, tree, wheels
from tools.install import PARTS, ROOT
from tools.lab.fault import LabFault

SERIES = """\
deb-setup.diff
# CVE-2000-0000.patch
0001-gh-99612-Fix-PyUnicode_DecodeUTF8Stateful.patch
multiarch.diff
CVE-2023-27043.patch

ensurepip-disabled.diff
shutdown-deadlock.diff -p1
"""


def test_of_debians_patches_only_those_that_mend_python_are_applied() -> None:
    assert sources.mending(SERIES) == [
        "0001-gh-99612-Fix-PyUnicode_DecodeUTF8Stateful.patch",
        "CVE-2023-27043.patch",
        "shutdown-deadlock.diff",
    ]


def test_what_a_folder_that_was_taken_away_held_is_not_looked_for(tmp_path: Path) -> None:
    for name in ("tkinter/test/a.py", "json/tests/a.py", "json/tool.py", "this.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    tree.remove(tmp_path, ("tkinter", "this.py", "*/test", "*/tests"))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.py")] == ["json/tool.py"]


@pytest.mark.parametrize("part", PARTS)
def test_every_package_of_the_lock_is_taken_once_with_its_digests(part: str) -> None:
    lock = (ROOT / f"requirements-{part}.lock").read_text()
    ready, bare = wheels.split(lock)
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    taken = re.findall(r"^([\w.-]+)==\S+ \\\n +--hash=sha256:", ready + bare, re.MULTILINE)
    assert sorted(taken) == sorted(names)
    assert lock.count("--hash=") == (ready + bare).count("--hash=")
    assert bare.startswith("sdnotify==")


def test_a_wheel_that_puts_files_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("odd/__init__.py", "")
        wheel.writestr("odd-1.data/scripts/odd", "")
    with pytest.raises(LabFault, match=r"odd-1-py3-none-any\.whl has odd-1\.data/scripts/odd"):
        wheels.unpack(tmp_path / "odd-1-py3-none-any.whl", tmp_path / "site")


@pytest.mark.subprocess
def test_a_program_for_a_younger_glibc_or_with_a_hosts_library_is_named(tmp_path: Path) -> None:
    """Debian 12's own `ls` is both."""
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/ls", tmp_path / "bin/ls")
    (tmp_path / "bin/script").write_text("#!/bin/sh\n")
    said = glibc.complaints(tmp_path)
    assert len(said) == 2
    assert re.fullmatch(r"bin/ls needs glibc 2\.\d\d, younger than 2\.17", said[0])
    assert said[1] == "bin/ls needs libselinux.so.1 of the host"


@pytest.mark.subprocess
def test_a_library_that_comes_with_the_tree_is_no_hosts(tmp_path: Path) -> None:
    shutil.copy("/bin/ls", tmp_path / "ls")
    shutil.copy(Path("/bin/ls"), tmp_path / "libselinux.so.1")
    assert not [line for line in glibc.complaints(tmp_path) if "of the host" in line]
