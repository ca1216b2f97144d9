"""Where a version's things lie: in one directory, reached by links that are changed by rename."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from tools import install
from tools.dist import archive, packages, plugin
from tools.install import MOVABLE_SCRIPT, NODE, PARTS, files, items

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"]}


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub that need not be built, and packages that need not be compiled."""
    (tmp_path / "stub").write_bytes(b"stub")
    monkeypatch.setattr(install, "STUB", tmp_path / "stub")
    monkeypatch.setattr(install, "_compiled", lambda *_: b"")


def links(part: str) -> Mapping[str, str]:
    return {item.path: item.link for item in items(part=PARTS[part]) if item.link}


@pytest.mark.parametrize("part", PARTS)
def test_every_link_leads_to_something_of_the_same_part(part: str) -> None:
    made, there = links(part), {item.path for item in items(part=PARTS[part])}
    there |= {parent for path in there for parent in _parents(path)}
    for path, target in made.items():
        led = os.path.normpath(os.path.join(os.path.dirname(path), target))
        for link, version in made.items():  # of the way: `current`, `python`
            led = led.replace(f"{link}/", f"{os.path.dirname(link)}/{version}/")
        assert led in there, path


def _parents(path: str) -> list[str]:
    names = path.split("/")
    return ["/".join(names[:count]) for count in range(1, len(names))]


def test_the_version_in_use_is_changed_before_the_first_link_leads_there() -> None:
    assert next(iter(links("node"))) == "usr/lib/instorage/current"


def test_a_program_that_runs_keeps_its_versions_modules_when_another_is_installed() -> None:
    programs = [item for item in files(NODE, {}) if item.path in NODE.programs]
    assert len(programs) == 8
    for program in programs:
        shebang = (program.content or b"").decode().splitlines()[0]
        assert shebang == f"#!/usr/lib/instorage/{VERSION}/bin/python3 -I"
        assert len(shebang) < 127, "Linux 4.4 cuts it off there"


@pytest.mark.parametrize("part", PARTS)
def test_nothing_of_a_part_is_left_out_of_the_archive(part: str) -> None:
    lost = [item.path for item in files(PARTS[part], {}) if archive.place(item.path) is None]
    assert lost == (["etc/instorage", "usr/libexec/instorage"] if part == "node" else [])


def test_what_the_installer_reads_is_in_the_archive_and_in_both_packages(tmp_path: Path) -> None:
    read = {"installer/__main__.py", "install.sh", *_older()}
    plugin.write(tmp_path / plugin.NAME)
    for source, target in archive.BESIDE.items():
        archive.put_beside(install.ROOT / source, tmp_path / target)
    assert read <= {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    (tmp_path / "VERSION").write_text(VERSION)
    for package in packages.PACKAGES:
        texts = {name: tmp_path / name for name in ("copyright", "changelog.gz")}
        for path in texts.values():
            path.touch()
        packed = {entry["dst"] for entry in packages.contents(package, tmp_path, 0, tmp_path)}
        assert {f"/usr/lib/{package.name}/{name}" for name in (*read, plugin.NAME)} <= packed


def _older() -> set[str]:
    found = {str(path.relative_to(install.ROOT)) for path in install.OLDER.rglob("*") if path.is_file()}
    assert {"systemd/older/put.sh", "systemd/older/238/instorage-helper.service.d/older-238.conf"} <= found
    return found


def test_a_nodes_version_says_which_records_it_reads() -> None:
    said = {item.path: item.content for item in files(NODE, {})}
    assert said[f"{NODE.prefix}/RECORDS"] == (install.ROOT / "packaging/RECORDS").read_bytes()


@pytest.mark.subprocess
@pytest.mark.parametrize("shell", SHELLS)
def test_the_provisioner_starts_from_any_directory_and_by_any_link(tmp_path: Path, shell: str) -> None:
    home, elsewhere = tmp_path / "any where" / "provisioner", tmp_path / "bin"
    (home / "python-1/bin").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "python").symlink_to("python-1")
    (home / "python-1/bin/python3").symlink_to(sys.executable)
    (home / "program").write_text(MOVABLE_SCRIPT.format(module="timeit"))
    (elsewhere / "linked").symlink_to(home / "program")
    for path in (home / "program", elsewhere / "linked"):
        done = subprocess.run(
            [*SHELLS[shell], path, "-n1", "-r1", "import sys; print(sys.executable, sys.argv[0])"],
            capture_output=True, text=True, timeout=30, check=False, cwd="/",
            env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.stdout.splitlines()[0] == f"{home}/python-1/bin/python3 {path}", done.stderr


@pytest.mark.subprocess
def test_an_administrators_directory_is_not_taken_for_an_earlier_link(tmp_path: Path) -> None:
    (tmp_path / "host/opt/inspur-instorage-provisioner/python").mkdir(parents=True)
    with pytest.raises(SystemExit, match="inspur-instorage-provisioner/python is a directory of an earlier"):
        install.put(tmp_path / "host", items(part=PARTS["provisioner"]))


def test_links_are_replaced_and_what_they_led_to_stays(tmp_path: Path) -> None:
    library = tmp_path / "usr/lib/instorage"
    (library / "2.0").mkdir(parents=True)
    (library / "current").symlink_to("2.0")
    old = tmp_path / "usr/libexec/instorage/instorage-helper"
    old.parent.mkdir(parents=True)
    old.write_text("a program of an earlier installation")
    install.put(tmp_path, (item for item in items() if item.link))
    assert os.readlink(library / "current") == VERSION
    assert os.readlink(old) == "../../lib/instorage/current/libexec/instorage-helper"
    assert (library / "2.0").is_dir()
    assert shutil.which("instorage-helper", path=str(library)) is None
