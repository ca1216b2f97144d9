"""What somebody with an account on the host can do against install.sh while root runs it: nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import SHELLS, archive, run
from tests.packaging.host import Host
from tools.install import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess
LOCK = "etc/.instorage-install.lock"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host") as host:
        yield host


def test_a_directory_that_everybody_may_lock_is_not_the_installers_lock(root: Path, old: Path) -> None:
    directory = os.open(root / "etc", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        done = run(old, "--node", "--root", str(root))
    finally:
        os.close(directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (root / LOCK).exists()


def test_the_installers_lock_is_roots_alone_and_what_a_kill_left_of_it_is_in_nobodys_way(
    root: Path, old: Path
) -> None:
    (root / LOCK).touch(0o600)
    with (root / LOCK).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run(old, "--node", "--root", str(root))
        assert done.returncode == 1
        assert "another install.sh is at work on this host" in done.stderr
    assert run(old, "--node", "--root", str(root)).returncode == 0
    assert not (root / LOCK).exists()
