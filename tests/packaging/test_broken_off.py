"""install.sh that is broken off, by who started it or by what it needs."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import SHELLS, archive, differences, put, run, snapshot
from tests.packaging.host import Host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
# Its terminal is gone when it puts the first file.
HANG_UP = """import os, sys

def hang_up(event, values):
    global done
    if event == "os.rename" and not done:
        done = True
        os.kill(os.getpid(), 1)

done = False
sys.addaudithook(hang_up)
"""


def test_what_could_not_be_copied_whole_leaves_no_half_of_it(node: Path, tmp_path: Path) -> None:
    top = archive(tmp_path, "3.1.0")
    os.mkfifo(top / "node/lib/zz")  # which cannot be copied
    assert run(top, "--node", "--root", str(node)).returncode == 1, "nothing was changed"
    assert {path.name for path in (node / "usr/lib/instorage").iterdir()} == {"3.0.0", "current"}


@pytest.mark.parametrize("by_nohup", [True, False])
def test_a_terminal_that_goes_ends_it_but_for_who_used_nohup(
    root: Path, tmp_path: Path, *, by_nohup: bool
) -> None:
    top = archive(tmp_path, "3.0.0")
    python = top / "node/bin/python3.11"
    python.write_text(python.read_text().replace("import os, sys\n", HANG_UP, 1))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if by_nohup else signal.SIG_DFL)
    try:
        argv = [*SHELLS["dash"], str(top / "install.sh"), "--node", "--root", str(root)]
        done = subprocess.run(argv, capture_output=True, timeout=50, check=False)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (done.returncode == 0) is by_nohup, done.stderr


@pytest.mark.root
def test_a_removal_that_is_broken_off_before_anything_is_gone_has_the_node_go_on(
    running: Host, old: Path
) -> None:
    running.sh(": >/run/end.stop")
    done = running.install(old, "--uninstall", "--node")
    assert done.returncode == 130
    assert running.sh("ls /run/enabled")
    assert running.version == "3.0.0"


@pytest.mark.root
def test_units_that_do_not_fit_this_systemd_are_not_used(running: Host, tmp_path: Path) -> None:
    top = archive(tmp_path, "3.1.0")
    put(top / "systemd/older", {"put.sh": "echo no room >&2; exit 1\n"}, 0o755)
    before = snapshot(running.root / "usr/lib")
    done = running.install(top, "--node")
    assert done.returncode == 3
    assert "did not put what this systemd needs: no room" in done.stderr
    assert running.version == "3.0.0"
    assert differences(before, snapshot(running.root / "usr/lib")) == []


@pytest.mark.root
def test_a_disk_that_is_full_half_way_leaves_the_version_of_before_and_its_room(
    tmp_path: Path, old: Path, new: Path
) -> None:
    library = "/usr/lib/instorage"
    with Host(tmp_path / "host") as host:
        host.sh(f"mkdir -p {library} && mount -t tmpfs -o mode=755,nr_inodes=9999 none {library}")
        assert host.install(old, "--node").returncode == 0
        used = host.sh(f"df --output=iused {library} | tail -n 1").strip()
        host.sh(f"mount -o remount,nr_inodes={int(used) + 20} {library}")
        done = host.install(new, "--node")
        assert done.returncode in (1, 3)
        assert "No space left on device" in done.stderr
        assert (host.version, host.sh(f"ls -A {library}")) == ("3.0.0", "3.0.0\ncurrent")
        host.sh(f"mount -o remount,nr_inodes=9999 {library}")
        assert host.install(new, "--node").returncode == 0
        assert host.version == "3.1.0"
