"""The lab's archive is kept as long as nothing of what it is made from changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tools.dist.archive import BESIDE
from tools.install import PARTS, ROOT
from tools.lab import archive
from tools.lab.cache import key

if TYPE_CHECKING:
    import pytest


def test_everything_of_the_checkout_that_goes_into_an_archive_counts() -> None:
    packages = {package for part in PARTS.values() for package in part.packages}
    locks = {f"requirements-{part}.lock" for part in PARTS}
    for name in {*packages, *BESIDE, *locks, "systemd", "flexvolume-stub", "tools/dist", "tools/install.py"}:
        assert any(Path(name).is_relative_to(counts) for counts in archive.MADE_FROM), name
        assert (ROOT / name).exists()


def test_a_file_that_is_changed_or_moved_makes_another_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "installer", tmp_path / "installer")
    monkeypatch.setattr(archive, "ROOT", tmp_path)
    monkeypatch.setattr(archive, "MADE_FROM", ("installer",))
    keys = [key(*archive.inputs())]
    (tmp_path / "installer/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "installer/__pycache__/host.pyc").write_bytes(b"compiled")
    assert [key(*archive.inputs())] == keys
    file = tmp_path / "installer/host.py"
    file.write_text(file.read_text() + "\n")
    keys.append(key(*archive.inputs()))
    (tmp_path / "installer/more").mkdir()
    file.rename(tmp_path / "installer/more/host.py")
    keys.append(key(*archive.inputs()))
    assert len(set(keys)) == len(keys)
