"""The manual's section for multipath: put where multipathd reads it, and never over an administrator's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from installer.multipath import TEXT
from nodeagent.administration.doctor.multipath import DROP_IN, in_force, judged
from nodeagent.administration.multipath_syntax import parse
from tests.packaging.archive import run
from tests.packaging.test_uninstalling import uninstall

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
OURS = DROP_IN.lstrip("/")
SECTION = 'devices {\n device {\n  vendor "INSPUR"\n  product "MCS"\n  no_path_retry 12\n }\n}\n'


def install(archive: Path, root: Path) -> str:
    done = run(archive, "--node", "--root", str(root))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_node_gets_the_manuals_section_where_multipathd_reads_it(node: Path) -> None:
    text = (node / OURS).read_text()
    assert judged(text.replace("devices {", "devices {\n", 1)) == []
    assert in_force(parse(text))["no_path_retry"] == "60"


@pytest.mark.parametrize("place", ["etc/multipath.conf", "etc/multipath/conf.d/site.conf"])
def test_an_administrators_section_counts_and_is_named(root: Path, old: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(SECTION)
    said = install(old, root)
    assert f"{root / place} has a section for INSPUR, which counts" in said
    assert not (root / OURS).exists()
    assert (root / place).read_text() == SECTION


def test_a_section_that_an_administrator_writes_later_has_ours_taken_away(node: Path, new: Path) -> None:
    (node / "etc/multipath.conf").write_text(SECTION)
    install(new, node)
    assert not (node / OURS).exists()


@pytest.mark.parametrize(
    "text",
    [
        "defaults {\n user_friendly_names no\n}\n",
        'blacklist {\n device {\n  vendor "INSPUR"\n }\n}\n',
        "# " + SECTION.replace("\n", "\n# "),
        SECTION.replace("INSPUR", "NETAPP"),
    ],
)
def test_what_says_nothing_of_the_arrays_disks_keeps_ours_not_away(root: Path, old: Path, text: str) -> None:
    (root / "etc/multipath.conf").write_text(text)
    install(old, root)
    assert (root / OURS).read_text() == TEXT


def test_an_older_multipath_that_is_told_another_directory_gets_it_there(root: Path, old: Path) -> None:
    (root / "etc/multipath.conf").write_text('defaults {\n config_dir "/etc/mp.d"\n}\n')
    install(old, root)
    assert (root / "etc/mp.d/instorage.conf").read_text() == TEXT
    uninstall(old, root)
    assert not (root / "etc/mp.d").exists()


def test_a_file_of_that_name_that_is_not_ours_stays(root: Path, old: Path) -> None:
    (root / OURS).parent.mkdir(parents=True)
    (root / OURS).write_text(SECTION)
    install(old, root)
    uninstall(old, root)
    assert (root / OURS).read_text() == SECTION


def test_it_goes_with_the_node_part(node: Path, old: Path) -> None:
    uninstall(old, node)
    assert not (node / "etc/multipath").exists()
