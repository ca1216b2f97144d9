"""A bind mount is there as it shall be or not at all: kubelet takes whatever it finds mounted as done."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

import pytest

from helper import child, mounts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("run_directory")]

_CLONE_NEWNS, _PRIVATE = 0x20000, 1 << 18 | 16384


def apart(directory: Path, *, read_only: bool) -> list[str]:
    """Bind in a mount namespace of its own; return what the mount's options are."""

    def job() -> list[str]:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(_CLONE_NEWNS) == 0
        mounts.mount("none", "/", "", _PRIVATE)
        source, target = directory / "source", directory / "target"
        for path in (source, target):
            path.mkdir()
        mounts.mount("x", str(source), "tmpfs", mounts.OPTIONS["noatime"])
        ends = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (source, target)]
        if not mounts.bind(*ends, read_only=read_only):
            return []
        return next(row.options for row in mounts.table() if row.target == str(target))

    return child.apart(job, time.monotonic() + 20, "A bind")


@pytest.mark.parametrize("read_only", [True, False])
def test_it_comes_with_all_its_restrictions_in_one_step(tmp_path: Path, read_only: bool) -> None:
    options = apart(tmp_path, read_only=read_only)
    if not options:
        pytest.skip("this kernel is older than 5.12")
    assert {"nosuid", "nodev", "noatime", "ro" if read_only else "rw"} <= set(options)


def test_a_kernel_that_cannot_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_CALLS", 100_000)
    assert apart(tmp_path, read_only=True) == []
