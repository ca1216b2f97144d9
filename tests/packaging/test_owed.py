"""Ended while it took away what was before: what answered stays in force, whatever fails weeks later."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging import vendors
from tests.packaging.archive import DRIVER, FOLDER, run
from tests.packaging.host import Host
from tests.packaging.test_killed_installer import Interrupted
from tests.packaging.vendors import STUB
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.timeout(300)]
ROOT_WANTED = pytest.mark.root
# What is moved, with the option that moves it: where it was, where it goes, its program.
MOVES = {
    "node": (PLUGIN, f"srv/plugins/{DRIVER}", "instorage-flexvolume", ("--plugin-dir", "/srv/plugins")),
    "provisioner": (f"opt/{FOLDER}", f"srv/{FOLDER}", "instorage-provisioner", ("--prefix", "/srv")),
}
UNITS = {"node": "instorage-report.timer", "provisioner": "instorage-provisioner.service"}
RECORD = "/var/lib/instorage/volumes/6005076400c8000000000000000000a1"
KILLED_AT_SESSIONS = """\
case "$*" in *' -o update '*) if [ ! -e /run/killed ]; then : >/run/killed; kill -9 $PPID; exit 1; fi ;; esac
"""


@pytest.fixture
def interrupted(tmp_path: Path) -> Interrupted:
    return Interrupted(tmp_path)


def leaving(root: Path, old: Path, part: str, how: str, interrupted: Interrupted) -> int:
    """Move a part on a host, and have the move end just after the former program went; its exit status."""
    before, _, program, option = MOVES[part]
    arguments = (f"--{part}", *option, "--root")

    def stays(at: int) -> bool:
        """Whether the former program is there when the move ends at a change."""
        copy = root.with_name("copy")
        subprocess.run(["cp", "-a", root, copy], check=True)
        interrupted.run(old, *arguments, str(copy), **{how: at})
        found = (copy / before / program).exists()
        shutil.rmtree(copy)
        return found

    assert not stays(0)
    low, high = 1, interrupted.counted
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if stays(middle) else (low, middle)
    return interrupted.run(old, *arguments, str(root), **{how: low})


@pytest.mark.parametrize("how", ["kill_at", "fail_at"])
@pytest.mark.parametrize("part", MOVES)
def test_after_a_move_that_was_ended_a_version_that_fails_takes_neither_program_nor_configuration(
    root: Path, old: Path, new: Path, interrupted: Interrupted, part: str, how: str
) -> None:
    before, after, program, _ = MOVES[part]
    assert run(old, f"--{part}", "--root", str(root)).returncode == 0
    for name in ("instorage.yaml", "adopted"):
        (root / before / "config" / name).write_text("mine")
    assert leaving(root, old, part, how, interrupted) == {"kill_at": -9, "fail_at": 0}[how]
    assert not (root / before / program).exists()
    assert (root / before / "config/instorage.yaml").exists(), "it was not ended in the middle: no test"
    unit = root / "usr/lib/systemd/system" / UNITS[part]
    unit.unlink()
    unit.mkdir()  # so that it cannot be put
    assert run(new, f"--{part}", "--root", str(root)).returncode == 3
    assert "3.0.0" in (root / after / program).read_text()
    for name in ("instorage.yaml", "adopted"):
        assert (root / after / "config" / name).read_text() == "mine"
    assert after in (root / "etc/instorage/places").read_text()
    assert not (root / before).exists(), "what was left over is done by whatever run is next"
    unit.rmdir()
    assert run(new, f"--{part}", "--root", str(root)).returncode == 0
    assert not list(root.rglob(".owed"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A node as the vendor's program leaves it."""
    host = Host(tmp_path / "host")
    vendors.leave_node(host.root)
    return host


@ROOT_WANTED
def test_a_take_over_that_was_killed_at_the_sessions_is_never_given_back(
    host: Host, old: Path, new: Path
) -> None:
    """The new agent had answered, and served the node for weeks, until an upgrade fails."""
    tool = host.root / "usr/local/bin/iscsiadm"
    tool.write_text(tool.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{KILLED_AT_SESSIONS}", 1))
    with host:
        assert host.install(old, "--node").returncode == -9
        assert (host.version, host.sh("cat /run/scan")) == ("3.0.0", "auto")
        host.sh(f"echo edited >/{PLUGIN}/config/instorage.yaml; mkdir -p /var/lib/instorage/volumes")
        host.sh(f"echo x >{RECORD}; : >/run/broken-3.1.0")
        done = host.install(new, "--node")
        assert done.returncode == 3
        assert "the version of before is in force again" in done.stderr
        assert (host.version, host.sh(f"cat {RECORD}")) == ("3.0.0", "x")
        assert "# 3.0.0" in host.sh(f"cat /{STUB}"), "the vendor's maps with -force"
        assert host.sh(f"cat /{PLUGIN}/config/instorage.yaml") == "edited"
        assert host.sh("cat /run/scan") == "manual", "what was left over is done by whatever run is next"


@ROOT_WANTED
def test_where_volumes_of_ours_are_recorded_the_vendors_program_is_not_put_back(
    host: Host, old: Path, new: Path
) -> None:
    """The take-over was killed before the agent answered; it came with the next boot, and served."""
    with host:
        host.sh(": >/run/kill.start")
        assert host.install(old, "--node").returncode == -9
        host.sh(f"mkdir -p /var/lib/instorage/volumes; echo x >{RECORD}; : >/run/broken-3.1.0")
        done = host.install(new, "--node")
        assert done.returncode == 4
        assert "the vendor's program, which knows nothing of them, is not put back" in done.stderr
        assert host.sh(f"cat {RECORD}") == "x"
        assert "# 3.1.0" in host.sh(f"cat /{STUB}")
        host.sh("rm /run/broken-3.1.0")
        assert host.install(new, "--node").returncode == 0
        assert (host.version, host.sh("cat /run/scan")) == ("3.1.0", "manual")
