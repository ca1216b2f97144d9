"""A mount that cannot be seen through its path is not one, wherever the walk before had led."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

import pytest

from helper import mounts
from helper.settings import Settings
from helper.target import parse, walk
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NEW_NAMESPACE, _PRIVATE, _REC = 0x20000, 1 << 18, 1 << 14
SHAPE = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
PODS = "pods/431a7251-1df7-43a7-b81a-9e1d775a898e/volumes/inspur~instorage-flexvolume/pvc-1"


def apart(job: Callable[[], None]) -> None:
    """Run a job in a child with a mount namespace of its own."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACE) == 0:
                mounts.mount("", "/", "", _PRIVATE | _REC)
                job()
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def cover(path: Path) -> None:
    mounts.mount("other", str(path), "tmpfs", 0)


def link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))
    (path / "pvc-1").mkdir(parents=True)


@pytest.mark.root
@pytest.mark.parametrize("swap", [cover, link, move])
def test_a_directory_swapped_after_the_walk_is_noticed(swap: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / SHAPE).mkdir(parents=True)
    settings = Settings(roots=(str(tmp_path),))

    def job() -> None:
        with walk(parse(str(tmp_path / SHAPE), settings)) as place:
            mounts.mount("ours", f"/proc/self/fd/{place.open()}", "tmpfs", mounts.NOSUID)
            seen = place.seen()
            assert seen is not None
            assert seen == place.row()
            swap((tmp_path / SHAPE).parent)
            assert place.row() == seen or swap is not cover
            assert place.seen() is None

    apart(job)


def test_a_directory_that_is_missing_on_the_way_is_named(tmp_path: Path) -> None:
    target = parse(str(tmp_path / PODS), Settings(roots=(str(tmp_path),)))
    with (
        pytest.raises(Fault, match=r"pods in .* cannot be opened \(No such file"),
        walk(target, create=True),
    ):
        pass
    with pytest.raises(FileNotFoundError), walk(target):
        pass
