"""install.sh brings the man pages, and takes them away with the last part; others' pages are left alone."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import FOLDER, archive, run, snapshot
from tests.packaging.host import Host
from tools.man.__main__ import FOLDER as MAN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
FOREIGN = ".TH HELPER.CONF 5 1999-01-01\n.SH NAME\nhelper.conf \\- another program's\n"


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with man pages."""
    top = archive(tmp_path_factory.mktemp("paged"), "3.0.0")
    shutil.copytree(MAN, top / "man", symlinks=True)
    return top


def pages(root: Path) -> dict[str, tuple[object, ...]]:
    """What lies below share/man of a host, but for folders."""
    found = snapshot(root / "usr/share/man")
    return {name: facts[1:] for name, facts in found.items() if name.rpartition("/")[2].count(".")}


def do(top: Path, root: Path, *arguments: str) -> None:
    done = run(top, *arguments, "--root", str(root))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("part", ["--node", "--provisioner"])
def test_both_languages_are_where_man_looks_and_gone_after_a_removal(
    root: Path, paged: Path, part: str
) -> None:
    do(paged, root, part)
    there = {name: facts[-1] for name, facts in pages(root).items()}
    assert there == {name: facts[-1] for name, facts in snapshot(MAN).items() if facts[-1] is not None}
    for language, word in (("C.UTF-8", "NAME"), ("zh_CN.UTF-8", "名称")):
        assert word in shown(root, language, "8", "instorage-helper-thaw")
    before = pages(root)
    do(paged, root, part)
    assert pages(root) == before
    do(paged, root, "--uninstall", part)
    assert list((root / "usr/share/man").iterdir()) == []


def shown(root: Path, language: str, *page: str) -> str:
    """What man shows of a page to who speaks a language; of a link what it leads to."""
    argv = ["man", "-L", language, *page]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    environment["MANPATH"] = str(root / "usr/share/man")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_stay_as_long_as_one_part_is_there(root: Path, paged: Path) -> None:
    do(paged, root, "--node", "--provisioner")
    before = pages(root)
    do(paged, root, "--uninstall", "--node")
    assert pages(root) == before
    do(paged, root, "--uninstall", "--provisioner")
    assert not pages(root)


def test_another_programs_page_is_neither_replaced_nor_removed(root: Path, paged: Path) -> None:
    theirs = root / "usr/share/man/man5/helper.conf.5"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(FOREIGN)
    beside = root / "usr/share/man/man8/instorage-of-theirs.8"
    beside.parent.mkdir()
    beside.symlink_to("/opt/theirs/page.8")
    do(paged, root, "--node")
    do(paged, root, "--uninstall", "--node", "--purge")
    assert theirs.read_text() == FOREIGN
    assert set(pages(root)) == {"man5/helper.conf.5", "man8/instorage-of-theirs.8"}


def test_a_page_that_a_version_has_no_more_goes(root: Path, paged: Path, tmp_path: Path) -> None:
    do(paged, root, "--node")
    newer = archive(tmp_path, "3.1.0")
    kept = newer / "man/man7/instorage.7"
    kept.parent.mkdir(parents=True)
    shutil.copy(MAN / "man7/instorage.7", kept)
    do(newer, root, "--node")
    assert set(pages(root)) == {"man7/instorage.7"}


def test_what_a_killed_run_has_left_goes_too(root: Path, paged: Path) -> None:
    do(paged, root, "--node")
    (root / "usr/share/man/zh_CN/man8/.instoragectl.8.new").write_text("half")
    do(paged, root, "--uninstall")
    assert list((root / "usr/share/man").iterdir()) == []


def test_a_torn_page_is_a_torn_archive(root: Path, paged: Path, tmp_path: Path) -> None:
    torn = tmp_path / paged.name
    shutil.copytree(paged, torn, symlinks=True)
    (torn / "CONTENTS").write_text(f"{'0' * 64}  man/man7/instorage.7\n")
    done = run(torn, "--node", "--root", str(root))
    assert done.returncode == 1
    assert "man/man7/instorage.7 is not what was packed" in done.stderr


def test_a_provisioner_needs_no_usr_that_can_be_written_for_them(tmp_path: Path, paged: Path) -> None:
    with Host(tmp_path / "host") as host:
        host.sh("mkdir -p /usr/share; mount --rbind /usr/share /usr/share")
        host.sh("mount -o remount,bind,ro /usr/share")
        done = host.install(paged, "--provisioner")
        assert (done.returncode, done.stderr) == (0, "")
        assert (host.root / f"opt/{FOLDER}/instorage-provisioner").exists()
        assert not (host.root / "usr/share/man").exists()
        assert host.install(paged, "--uninstall", "--provisioner").returncode == 0
