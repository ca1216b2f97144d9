"""Who reads Chinese gets each page for administrators, with every row, step, command, number and link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.translation import DOCS, ENGINEERS, REMARK, Block, anchors, blocks, pages
from tools.dist.archive import PAGES

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize(("english", "chinese"), pages(), ids=lambda path: path.name)
HAN = r"[\u4e00-\u9fff]"
UNTRANSLATED = re.compile(r"(?:\b[A-Za-z]+[,;]? ){7}")


def taken_apart(english: Path, chinese: Path) -> list[tuple[Block, Block]]:
    pairs = (english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8"))
    first, second = map(blocks, pairs)
    return list(zip(first, second, strict=True))


@BOTH
def test_a_page_for_administrators_has_its_chinese_and_both_are_in_the_archive(
    english: Path, chinese: Path
) -> None:
    assert chinese.exists(), (
        f"write {chinese.name}, or say in ENGINEERS that {english.name} is no administrator's"
    )
    assert {english.stem, chinese.stem} <= {*PAGES}


def test_no_chinese_page_and_no_exception_has_outlived_its_page() -> None:
    assert [
        path.name for path in DOCS.glob("*.zh.md") if path not in {chinese for _, chinese in pages()}
    ] == []
    assert [name for name in ENGINEERS if not (DOCS / f"{name}.md").exists()] == []


@BOTH
def test_both_have_the_same_headings_rows_items_and_paragraphs(english: Path, chinese: Path) -> None:
    first, second = (blocks(page.read_text(encoding="utf-8")) for page in (english, chinese))
    assert [block.kind for block in second] == [block.kind for block in first]


@BOTH
def test_both_have_the_same_code_but_for_remarks(english: Path, chinese: Path) -> None:
    code = [(one.text, other.text) for one, other in taken_apart(english, chinese) if one.kind == "code"]
    for one, other in code:
        assert REMARK.sub("", other) == REMARK.sub("", one)
        assert len(REMARK.findall(other)) == len(REMARK.findall(one))


@BOTH
def test_no_command_name_or_number_of_a_sentence_is_lost(english: Path, chinese: Path) -> None:
    lost = [
        (other.text[:60], missing)
        for one, other in taken_apart(english, chinese)
        if one.kind != "code" and (missing := (one.commands - other.commands) | (one.numbers - other.numbers))
    ]
    assert lost == []


@BOTH
def test_a_chinese_reader_stays_on_chinese_pages(english: Path, chinese: Path) -> None:
    """Links lead to the same page, in Chinese where it is there, and to the same section of it."""
    for one, other in taken_apart(english, chinese):
        if one.kind != "code":
            meant = sorted(whole(link, english) for link in one.links)
            assert sorted(whole(link, chinese) for link in other.links) == meant, other.text
            stays = [name for name in other.links if (DOCS / f"{name.partition('#')[0][:-3]}.zh.md").exists()]
            assert set(stays) <= {english.name}, other.text


def whole(link: str, of: Path) -> tuple[str, int]:
    """A page without its language, and the place of the section among its headings; -1: none is meant."""
    if "://" in link:
        return link, -1
    name, _, section = link.partition("#")
    page = DOCS / (name or of.name)
    assert page.exists(), f"{of.name}: {link} leads nowhere"
    known = anchors(page) if section else []
    assert not section or section in known, f"{of.name}: {link} leads to no section"
    return (name or of.name).replace(".zh.md", ".md"), known.index(section) if section else -1


@BOTH
def test_each_leads_to_the_other_before_its_first_section(english: Path, chinese: Path) -> None:
    for page, other in ((english, chinese), (chinese, english)):
        top = page.read_text(encoding="utf-8").partition("\n## ")[0]
        assert f"]({other.name})" in top


@BOTH
def test_nothing_was_left_in_english_and_no_latin_comma_between_chinese_words(
    english: Path, chinese: Path
) -> None:
    assert english.read_text() != chinese.read_text()
    for block in blocks(chinese.read_text(encoding="utf-8")):
        if block.kind != "code":
            assert UNTRANSLATED.findall(block.prose) == [], block.text
            assert re.findall(rf"{HAN}[,;:!?.] ?{HAN}|{HAN}\([^)]*{HAN}", block.prose) == [], block.text
            assert block.prose.count("\u201c") == block.prose.count("\u201d"), block.text
