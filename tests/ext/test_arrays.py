"""`instoragectl arrays`: what the configured arrays are set up to do with volumes that are let go."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.ext.test_release import ROOT, Site, site

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["site"]
pytestmark = pytest.mark.subprocess


def report(directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "nodeagent.administration.ctl", "arrays"],
        cwd=ROOT,
        env={
            "INSTORAGE_CONFIG": str(directory / "config/instorage.yaml"),
            "STATE_DIRECTORY": str(directory / "state"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=50,
        check=True,
    )
    return done.stdout.splitlines()


def test_protection_is_said_with_the_commands_that_change_it(site: Site, tmp_path: Path) -> None:
    assert report(tmp_path)[0].startswith("Array storage-01 answers. Volume protection is off")
    site.array.control.do("dialect", protection_minutes=15)
    line, _ = report(tmp_path)
    assert "Volume protection is on for 15 minutes (pools Pool0, Pool1)" in line
    assert "«mcsop chsystem -vdiskprotectiontime MINUTES»" in line


def test_an_array_that_is_away_hides_no_other(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "config/instorage.yaml"
    away = "- name: away\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
    path.write_text(path.read_text().replace("storage:\n", f"storage:\n{away}"))
    first, second, where = report(tmp_path)
    assert first.startswith("Array away was not asked: ")
    assert second.startswith("Array storage-01 answers.")
    assert "portals: " in where
