"""`tools.install DIRECTORY` over an installation in use (manual, chapter 2: it is replaced directly)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tools import install
from tools.install import NODE, PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
STUB = f"{PLUGIN}/instorage-flexvolume"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's tree whose stub is a program that waits; what is installed next has another."""
    sleeper = shutil.which("sleep")
    assert sleeper
    monkeypatch.setattr(install, "STUB", tmp_path / "stub")
    monkeypatch.setitem(install.PARTS, "node", replace(NODE, packages=()))  # they take a second to compile
    shutil.copy(sleeper, tmp_path / "stub")
    monkeypatch.setattr(sys, "argv", ["install", str(tmp_path / "host")])
    assert install.main() == 0
    (tmp_path / "stub").write_bytes(b"another program")
    return tmp_path / "host"


def test_a_stub_that_kubelet_executes_is_replaced_and_its_call_goes_on(host: Path) -> None:
    with subprocess.Popen([host / STUB, "60"]) as call:
        try:
            assert install.main() == 0
            assert call.poll() is None
        finally:
            call.kill()
    assert (host / STUB).read_bytes() == b"another program"
    assert (host / STUB).stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in (host / PLUGIN).iterdir()) == [
        "config",
        "instorage-flexvolume",
        "log",
    ]


def test_directories_keep_owner_and_mode_and_what_an_administrator_put_there(host: Path) -> None:
    for name, mode in (("log", 0o750), ("config", 0o710)):
        (host / PLUGIN / name).chmod(mode)
    (host / PLUGIN / "config/instorage.yaml").write_text("mine")
    (host / "etc/instorage/shadow.key").write_text("mine too")
    assert install.main() == 0
    assert (host / PLUGIN / "log").stat().st_mode & 0o777 == 0o750
    assert (host / PLUGIN / "config").stat().st_mode & 0o777 == 0o710
    assert (host / PLUGIN / "config/instorage.yaml").read_text() == "mine"
    assert (host / "etc/instorage/shadow.key").read_text() == "mine too"


def test_a_first_installation_makes_the_manuals_modes_whatever_the_umask(
    tmp_path: Path, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["install", str(tmp_path / "fresh")])
    old = os.umask(0o077)
    try:
        assert install.main() == 0
    finally:
        os.umask(old)
    for name in (PLUGIN, f"{PLUGIN}/config", f"{PLUGIN}/log", STUB):
        assert (tmp_path / "fresh" / name).stat().st_mode & 0o777 == 0o755
    parents = [path for path in (tmp_path / "fresh").rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in parents} == {0o755}
