"""instorage-selinux as deb and rpm: what is in it, and that its scripts load the module and take it out."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.dist import packages, policy_package
from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
WHEN = 1_700_000_000
HOME = "/usr/share/instorage-selinux"
FILES = (
    "instorage.te", "instorage.if", "instorage.fc", "Makefile", "load.sh",
    "compat/fedora.if", "compat/refpolicy.if", "refpolicy/instorage.pp",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("top")
    shutil.copytree(ROOT / "selinux", top / "selinux")
    (top / "selinux/refpolicy").mkdir()
    (top / "selinux/refpolicy/instorage.pp").write_bytes(b"module")
    target = tmp_path_factory.mktemp("made")
    return {path.suffix: path for path in policy_package.make(top, WHEN, target)}


def said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def test_both_formats_have_the_policy_and_what_loads_it(made: dict[str, Path]) -> None:
    deb = said("dpkg-deb", "-c", str(made[".deb"]))
    rpm = said("rpm", "-qlp", "--dbpath", str(made[".rpm"].parent / "db"), str(made[".rpm"]))
    for name in FILES:
        assert f".{HOME}/{name}\n" in deb
        assert f"{HOME}/{name}\n" in rpm
    (loader,) = (line for line in deb.splitlines() if line.endswith("/load.sh"))
    assert loader.startswith("-rwxr-xr-x root/root")


def test_it_is_for_every_processor_and_asks_for_the_tools_of_a_policy(made: dict[str, Path]) -> None:
    fields = said("dpkg-deb", "-f", str(made[".deb"]), "Package", "Architecture", "Depends")
    assert "Package: instorage-selinux\n" in fields
    assert "Architecture: all\n" in fields
    assert "policycoreutils" in fields
    assert made[".rpm"].name.endswith("_noarch.rpm")


@pytest.mark.parametrize(
    ("script", "argument", "asked"),
    [
        ("selinux-after-install", "configure", "load"),
        ("selinux-after-install", "1", "load"),
        ("selinux-after-install", "abort-upgrade", ""),
        ("selinux-before-remove", "remove", "remove"),
        ("selinux-before-remove", "0", "remove"),
        ("selinux-before-remove", "upgrade", ""),
        ("selinux-before-remove", "1", ""),
    ],
)
def test_its_scripts_load_the_module_and_take_it_out(
    tmp_path: Path, script: str, argument: str, asked: str
) -> None:
    loader = tmp_path / "load.sh"
    loader.write_text('#!/bin/sh\necho "$*"\n')
    loader.chmod(0o755)
    text = (packages.PACKAGING / script).read_text().replace(f"{HOME}/load.sh", str(loader))
    (tmp_path / script).write_text(text)
    assert said("dash", str(tmp_path / script), argument).strip() == asked


def test_a_module_that_cannot_be_loaded_leaves_the_package_installed_and_is_said(tmp_path: Path) -> None:
    loader = tmp_path / "load.sh"
    loader.write_text("#!/bin/sh\nexit 1\n")
    loader.chmod(0o755)
    text = (packages.PACKAGING / "selinux-after-install").read_text()
    (tmp_path / "script").write_text(text.replace(f"{HOME}/load.sh", str(loader)))
    argv = ["dash", str(tmp_path / "script"), "configure"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert "not loaded" in done.stderr
