"""The oldest versions stand in places that may not import each other: they are the same, and judged alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from installer import host, requirements
from installer.saying import Refusals
from nodeagent.administration import versions
from nodeagent.administration.versions import TABLE, Wanted
from tests.ext.test_versions import SAYS
from tests.packaging.pages import PAGES
from tools.dist import toolchain
from tools.dist.packages import PACKAGES
from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
OLDEST = {one.name: one.oldest for one in TABLE}
SAID = [(one, said) for one in TABLE for said in SAYS[one.argv[0]]]


def test_installer_and_ext_check_cfg_want_the_same() -> None:
    assert requirements.OLDEST == OLDEST


def test_the_table_for_people_has_these_and_no_others() -> None:
    text = (ROOT / "docs/hosts.md").read_text().partition("| what | oldest |")[2].partition("\n\n")[0]
    assert dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", text, re.MULTILINE)) == OLDEST


def test_a_deb_depends_on_these() -> None:
    wanted = [re.fullmatch(r"(\S+) \(>= (\S+)\)", one) for package in PACKAGES for one in package.depends]
    assert {one[1]: one[2] for one in wanted if one}.items() <= (OLDEST | {"libc6": toolchain.GLIBC}).items()
    assert all(wanted)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_says_otherwise(page: Path) -> None:
    text = page.read_text()
    for name, found in re.findall(r"(Linux|systemd|open-iscsi|multipath-tools|e2fsprogs) (\d[\d.]*\d)", text):
        assert found == OLDEST[name], f"{page}: {name} {found}"


@pytest.mark.parametrize(("one", "said"), SAID, ids=lambda one: one if isinstance(one, str) else one.name)
def test_both_judge_what_a_tool_says_alike(
    one: Wanted, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in (one.argv[0], requirements.ASKED[one.name][0][0]):
        (tmp_path / program).write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(versions, "DIRECTORIES", (str(tmp_path),))
    monkeypatch.setattr(host, "PROGRAMS", f"{tmp_path}:/usr/bin:/bin")
    refused = [refused for refused, _ in versions.judged([one])]
    refusals = Refusals()
    requirements.want(refusals, one.name)
    assert refusals.number == refused.count(True)
