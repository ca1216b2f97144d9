"""However the archive was unpacked, and whatever becomes of what is printed, the installation is the same."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import FOLDER, run, snapshot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess


@pytest.fixture
def usual(tmp_path: Path, old: Path) -> Path:
    """A host on which both parts were installed as usual."""
    root = tmp_path / "usual host"
    (root / "etc").mkdir(parents=True)
    assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
    return root


def closed(top: Path) -> None:
    """Leave modes as tar does for who is not root and has the umask 077."""
    for path in top.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)


def test_an_archive_unpacked_with_a_strict_umask_below_a_path_with_spaces(
    usual: Path, root: Path, old: Path, tmp_path: Path
) -> None:
    """As an ordinary user unpacks it, before `sudo ./install.sh`: services must be able to read all of it."""
    top = tmp_path / "my downloads (1)" / old.name
    shutil.copytree(old, top, symlinks=True)
    closed(top)
    done = run(top, "--node", "--provisioner", "--root", str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(root) == snapshot(usual)


def test_what_an_earlier_installer_left_unreadable_is_mended(node: Path, old: Path) -> None:
    closed(node / "usr/lib/instorage/3.0.0/lib")
    assert run(old, "--node", "--root", str(node)).returncode == 0
    module = node / "usr/lib/instorage/current/lib/python3.11/module.py"
    assert module.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("output", ["| true", ">/dev/full", "2>/dev/full >&2", ">&- 2>&-"])
def test_who_does_not_listen_is_installed_all_the_same(
    usual: Path, root: Path, old: Path, output: str
) -> None:
    install = f"sh {old}/install.sh --node --provisioner --root {root}"
    command = f"{{ {install}; echo $? >{root}.status; }} {output}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=50, check=False)
    assert (root.with_name("host.status").read_text(), done.stderr) == ("0\n", "")
    assert snapshot(root) == snapshot(usual)


@pytest.mark.parametrize("more", [(), ("--purge",)])
@pytest.mark.parametrize(
    ("part", "installed"),
    [("--node", "usr/lib/instorage/current"), ("--provisioner", f"opt/{FOLDER}/python")],
)
def test_a_removal_that_was_killed_is_finished_without_the_archive(
    root: Path, old: Path, tmp_path: Path, part: str, installed: str, more: tuple[str, ...]
) -> None:
    """By the copy that is installed: it goes last."""
    assert run(old, part, "--root", str(root)).returncode == 0
    count = tmp_path / "count"
    arguments = ("--uninstall", *more, part, "--root", str(root))
    for kill_at in range(1, 400, 7):
        count.write_text("0")
        done = run(root / installed, *arguments, COUNT=str(count), KILL_AT=str(kill_at), FAIL_AT="0")
        if done.returncode == 0 or not (root / installed).exists():
            break
    left = {str(path.relative_to(root)) for path in root.rglob("*instorage*") if not path.is_dir()}
    ours = (installed.rpartition("/")[0], "config/", "etc/instorage/", "etc/.instorage-install.lock")
    assert not {name for name in left if not any(one in name for one in ours)}


@pytest.mark.parametrize(("place", "needed"), [("lib/systemd", True), ("usr/lib/systemd", True), ("", False)])
def test_an_image_gets_what_its_own_systemd_needs(root: Path, old: Path, place: str, needed: bool) -> None:
    for library in (f"{place}/libsystemd-shared-237.so", "usr/lib/libsystemd-shared-236.so"):
        if place:
            (root / library).parent.mkdir(parents=True, exist_ok=True)
            (root / library).touch()
    assert run(old, "--node", "--root", str(root)).returncode == 0
    drop_in = root / "usr/lib/systemd/system/instorage-nodeagent.service.d/older-238.conf"
    assert drop_in.exists() is needed
    assert run(old, "--uninstall", "--purge", "--root", str(root)).returncode == 0
    assert not list(root.rglob("*instorage*"))
