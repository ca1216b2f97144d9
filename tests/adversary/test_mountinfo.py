"""A mount that any user may make, in a namespace of his own, must not blind root code."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from helper import mounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {
    "a carriage return": "a\rb",
    "a line feed": "a\nb",
    "spaces and a dash": "a - b",
    "a forged line": "x\r9 1 8:16 / /forged rw - ext4 /dev/sdb rw",
    "no UTF-8": b"\xff\xfe".decode("utf-8", "surrogateescape"),
    "a backslash": "a\\040b",
    "separators": "a\x1c\x1d\x85\u2028b",
}


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A tmpfs on a directory of the given name, in a mount namespace that lives as long as the test."""
    target = tmp_path / NAMES[request.param]
    target.mkdir(parents=True)
    holder = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs "s p" "$1" && echo up && exec cat', "sh", target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == b"up\n"
    yield holder.pid, str(target)
    holder.stdin.close()
    holder.stdout.close()
    holder.wait(10)


@pytest.mark.root
@pytest.mark.parametrize("mounted", NAMES, indirect=True)
def test_a_mount_of_any_name_is_one_row_and_hides_no_other(mounted: tuple[int, str]) -> None:
    process, target = mounted
    rows = mounts.table(str(process))
    (row,) = [row for row in rows if row.target == target]
    assert (row.source, row.fs_type) == ("s p", "tmpfs")
    assert "/forged" not in [row.target for row in rows]
    assert any(f"a mount on {target} " in found for found in mounts.everywhere({row.number}))
