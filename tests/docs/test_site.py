"""The site: whole, the same each time, and built only when no link of a page is dead."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.docs.markdown import PAGES
from tools import site
from tools.dist.archive import BESIDE
from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site") / "site"
    site.build(ROOT, place)
    return place


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_no_page_has_a_dead_link_or_leads_to_a_section_that_is_not_there(built: Path) -> None:
    assert (built / "index.html").exists()
    assert {name for name in files(built) if name.endswith(".html")} == {site._turned(name) for name in PAGES}


def test_every_link_of_the_site_leads_to_a_file_of_it(built: Path) -> None:
    lost = []
    for path in built.rglob("*.html"):
        for to in site.targets(path.read_text()):
            target = (path.parent / to.partition("#")[0]) if to.partition("#")[0] else path
            lost += [] if target.is_file() else [f"{path.relative_to(built)}: {to}"]
    assert lost == []


def test_nothing_is_fetched_and_no_script_is_run(built: Path) -> None:
    for name, content in files(built).items():
        if name.endswith((".html", ".css")):
            text = content.decode()
            assert not re.search(r"<script|<iframe|@import|url\(|(?:src|<link[^>]* href)=\"[a-z]+:", text), (
                name
            )


def test_the_same_pages_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    site.build(ROOT, tmp_path / "again")
    assert files(tmp_path / "again") == files(built)


def test_a_reader_reaches_every_page_from_the_first_one(built: Path) -> None:
    seen, waiting = set(), [built / "index.html"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".html":
            continue
        seen.add(path)
        for to in site.targets(path.read_text()):
            waiting.append((path.parent / to.partition("#")[0]).resolve())
    assert {str(path.relative_to(built)) for path in seen} == {site._turned(name) for name in PAGES}


def test_a_section_whose_name_is_chinese_is_found_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    root = checkout(tmp_path, "# First\n\n[x](#密文的密钥)\n\n## 密文的密钥\n")
    site.build(root, tmp_path / "site")
    (root / "README.md").write_text("# First\n\n[x](#密文)\n\n## 密文的密钥\n")
    with pytest.raises(site.Lost, match=r"README\.md leads to #密文, "):
        site.build(root, tmp_path / "again")


def checkout(tmp_path: Path, text: str) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(text)
    (tmp_path / "docs/a.md").write_text("# A\n\n## Two words, `and` code\n")
    return tmp_path


def test_a_reader_changes_the_language_of_a_page(tmp_path: Path) -> None:
    root = checkout(tmp_path, "# First\n")
    (root / "docs/a.zh.md").write_text("# 甲\n")
    site.build(root, tmp_path / "site")
    assert '<a href="../docs/a.zh.html">中文</a>' in (tmp_path / "site/docs/a.html").read_text()
    chinese = (tmp_path / "site/docs/a.zh.html").read_text()
    assert '<a href="../docs/a.html">English</a>' in chinese
    assert '<html lang="zh">' in chinese


@pytest.mark.parametrize("to", ["docs/b.md", "docs/a.md#three", "../outside.md", "#not-here", "picture.svg"])
def test_a_dead_link_is_named_with_its_page(tmp_path: Path, to: str) -> None:
    (tmp_path.parent / "outside.md").write_text("")
    root = checkout(tmp_path, f"# First\n\n[x]({to})\n")
    with pytest.raises(site.Lost, match=rf"^README\.md leads to {re.escape(to)}, which is not there$"):
        site.build(root, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_links_between_pages_lead_to_their_html_and_files_come_along(tmp_path: Path) -> None:
    root = checkout(
        tmp_path, "# First\n\n[x](docs/a.md#two-words-and-code), [y](LICENSE), <https://a.example/b.md>\n"
    )
    (root / "LICENSE").write_text("free")
    site.build(root, tmp_path / "site")
    html = (tmp_path / "site/index.html").read_text()
    assert 'href="docs/a.html#two-words-and-code"' in html
    assert 'href="https://a.example/b.md"' in html
    assert 'id="two-words-and-code"' in (tmp_path / "site/docs/a.html").read_text()
    assert (tmp_path / "site/LICENSE").read_text() == "free"


def test_what_an_archive_has_makes_a_site_of_its_own(tmp_path: Path) -> None:
    for source, target in BESIDE.items():
        if source.startswith(("docs", "deploy", "packaging/README", "LICENSE")):
            (tmp_path / "top" / target).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(
                ROOT / source, tmp_path / "top" / target
            )
    site.build(tmp_path / "top", tmp_path / "site")
    found = files(tmp_path / "site")
    assert {
        "index.html",
        "docs/index.html",
        "docs/troubleshooting.html",
        "docs/pictures/volume.svg",
    } <= found.keys()
    assert b"install.sh --check --node" in found["index.html"]
