"""install.sh ended at whatever command: the next run finishes it; one that fails leaves the old version.

Each change of a file is counted; at the number that was asked for the whole installer is killed before it (a
power cut), or it fails (a full disk).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import soak
from tests.packaging import vendors
from tests.packaging.archive import FOLDER, differences, run, snapshot
from tests.packaging.vendors import STUB
from tools.install import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(3600 if soak.WHOLE else 60)]
STRIDE = 1 if soak.WHOLE else 23  # every step in `make soak`


class Interrupted:
    """Runs of install.sh whose commands are counted."""

    def __init__(self, directory: Path) -> None:
        self.count = directory / "count"

    def run(self, top: Path, *arguments: str, kill_at: int = 0, fail_at: int = 0) -> int:
        """Return the exit status."""
        self.count.write_text("0")
        return run(
            top, *arguments, COUNT=str(self.count), KILL_AT=str(kill_at), FAIL_AT=str(fail_at),
        ).returncode  # fmt: skip

    @property
    def counted(self) -> int:
        return int(self.count.read_text())


@pytest.fixture
def interrupted(tmp_path: Path) -> Interrupted:
    return Interrupted(tmp_path)


def copies(origin: Path, directory: Path) -> Iterator[Path]:
    """Ever new copies of a host, owners and all."""
    number = 0
    while True:
        number += 1
        directory.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", origin, directory / str(number)], check=True)
        yield directory / str(number)
        shutil.rmtree(directory / str(number))


def leave_vendors(root: Path) -> None:
    """Leave both parts of the vendor's."""
    vendors.leave_node(root)
    vendors.leave_provisioner(root, Path("/usr/bin/sleep").read_bytes())


ACTIONS = {
    "installation": (False, ("--node", "--provisioner")),
    "take-over": (False, ("--node", "--provisioner")),
    "upgrade": (True, ("--node", "--provisioner")),
    "move": (True, ("--node", "--provisioner", "--plugin-dir", "/srv/plugins", "--prefix", "/srv")),
    "removal": (True, ("--uninstall",)),
    "purge": (True, ("--uninstall", "--purge")),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("action", ACTIONS if soak.WHOLE else ("upgrade", "purge"))
def test_whoever_is_killed_at_whatever_step_is_finished_by_the_next_run(
    root: Path, tmp_path: Path, old: Path, new: Path, interrupted: Interrupted, action: str
) -> None:
    installed, arguments = ACTIONS[action]
    if installed:
        assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
        (root / PLUGIN / "config/instorage.yaml").write_text("mine")
    if action == "take-over":
        leave_vendors(root)
    hosts = copies(root, tmp_path / "copies")
    host = next(hosts)
    assert interrupted.run(new, *arguments, "--root", str(host)) == 0
    wanted, steps = snapshot(host), interrupted.counted
    assert steps > 20, "commands that were not counted"
    for step in range(1, steps + 1, STRIDE):
        host = next(hosts)
        assert interrupted.run(new, *arguments, "--root", str(host), kill_at=step) == -9, step
        assert interrupted.run(new, *arguments, "--root", str(host)) == 0, step
        assert differences(wanted, snapshot(host)) == [], step


def test_a_command_that_fails_at_whatever_step_leaves_the_version_of_before(
    node: Path, tmp_path: Path, new: Path, interrupted: Interrupted
) -> None:
    (node / PLUGIN / "config/instorage.yaml").write_text("mine")
    hosts, wanted = copies(node, tmp_path / "copies"), snapshot(node)
    host = next(hosts)
    assert interrupted.run(new, "--node", "--root", str(host)) == 0
    seen = set()
    for step in range(1, interrupted.counted + 1, STRIDE):
        host = next(hosts)
        status = interrupted.run(new, "--node", "--root", str(host), fail_at=step)
        seen.add(status)
        changed = differences(wanted, snapshot(host))
        if status == 0:  # after everything was in place, or of what may fail
            continue
        left = [name for name in changed if ".new" not in name and not name.endswith(("/.gone", "/.before"))]
        assert [name for name in left if "/3.1.0" not in name and "/.gone/" not in name] == [], (step, status)
        assert interrupted.run(new, "--node", "--root", str(host)) == 0, step
    assert seen <= {0, 1, 3}
    assert 3 in seen, "nothing was undone: the test is none"


@pytest.mark.skipif(not soak.WHOLE, reason="make soak")
def test_a_take_over_in_which_a_command_fails_leaves_the_vendors(
    root: Path, tmp_path: Path, new: Path, interrupted: Interrupted
) -> None:
    leave_vendors(root)
    hosts, wanted, seen = copies(root, tmp_path / "copies"), snapshot(root), set()
    arguments = ("--node", "--provisioner", "--root")
    host = next(hosts)
    assert interrupted.run(new, *arguments, str(host)) == 0
    for step in range(1, interrupted.counted + 1, STRIDE):
        host = next(hosts)
        seen.add(interrupted.run(new, *arguments, str(host), fail_at=step))
        after = snapshot(host)
        for program in (STUB, f"opt/{FOLDER}/instorage-provisioner"):  # one part may be ours already
            theirs = [name for name in differences(wanted, after) if name == program]
            assert not theirs or after[f"{program}.vendor"][3] == wanted[program][3], (step, program)
        assert interrupted.run(new, *arguments, str(host)) == 0, step
    assert {0, 3} <= seen <= {0, 1, 3}


def test_going_back_is_finished_by_the_next_run_too(
    node: Path, old: Path, new: Path, interrupted: Interrupted
) -> None:
    before = snapshot(node)
    assert interrupted.run(new, "--node", "--root", str(node), kill_at=60) == -9
    assert snapshot(node) != before
    assert run(old, "--node", "--root", str(node)).returncode == 0
    assert differences(before, snapshot(node)) == []
