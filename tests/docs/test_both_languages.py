"""Who reads Chinese gets each page for administrators, with every row, step, command, number and link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.docs.translation import (
    DOCS,
    ENGINEERS,
    REMARK,
    Block,
    anchors,
    drawn,
    of_page,
    pages,
    pictures,
)
from tools.dist.archive import PAGES

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize(("english", "chinese"), pages(), ids=lambda path: path.name)
HAN = r"[\u4e00-\u9fff]"
UNTRANSLATED = re.compile(r"(?:\b[A-Za-z]+[,;]? ){7}")
LATIN_MARK = re.compile(rf"{HAN}[,;:!?.] ?{HAN}|{HAN}\([^)]*{HAN}")


def taken_apart(english: Path, chinese: Path) -> list[tuple[Block, Block]]:
    return list(zip(of_page(english), of_page(chinese), strict=True))


def sentences(english: Path, chinese: Path) -> list[tuple[Block, Block]]:
    return [(one, other) for one, other in taken_apart(english, chinese) if not one.is_code]


@BOTH
def test_a_page_for_administrators_has_its_chinese_and_both_are_in_the_archive(
    english: Path, chinese: Path
) -> None:
    assert chinese.exists(), (
        f"write {chinese.name}, or say in ENGINEERS that {english.name} is no administrator's"
    )
    assert english.parent != DOCS or {english.stem, chinese.stem} <= {*PAGES}


def test_no_chinese_page_and_no_exception_has_outlived_its_page() -> None:
    assert {*DOCS.glob("*.zh.md")} <= {chinese for _, chinese in pages()}
    assert [name for name in ENGINEERS if not (DOCS / f"{name}.md").exists()] == []


@BOTH
def test_both_have_the_same_headings_rows_items_and_paragraphs(english: Path, chinese: Path) -> None:
    assert [block.kind for block in of_page(chinese)] == [block.kind for block in of_page(english)]


@BOTH
def test_both_have_the_same_code_but_for_remarks(english: Path, chinese: Path) -> None:
    for one, other in taken_apart(english, chinese):
        if one.is_code:
            assert REMARK.sub("", other.source) == REMARK.sub("", one.source)
            assert len(REMARK.findall(other.source)) == len(REMARK.findall(one.source))


@BOTH
def test_no_command_name_or_number_of_a_sentence_is_lost(english: Path, chinese: Path) -> None:
    for one, other in sentences(english, chinese):
        assert one.commands <= other.commands, other.source
        assert one.numbers <= other.numbers, other.source


@BOTH
def test_a_chinese_reader_stays_on_chinese_pages(english: Path, chinese: Path) -> None:
    """Links lead to the same page or picture, in Chinese where it is there, and to the same section of it."""
    for one, other in sentences(english, chinese):
        meant = sorted(whole(link, english) for link in one.links)
        assert sorted(whole(link, chinese) for link in other.links) == meant, other.source
        left = {link for link in other.links if is_translated(link, chinese)}
        assert left <= {english.name}, other.source


def is_translated(link: str, of: Path) -> bool:
    there = of.parent / link.partition("#")[0]
    return there.suffix in (".md", ".svg") and there.with_suffix(f".zh{there.suffix}").exists()


def whole(link: str, of: Path) -> tuple[str, int]:
    """A page without its language, and the place of the section among its headings; -1: none is meant."""
    if "://" in link:
        return link, -1
    name, _, section = unquote(link).partition("#")
    page = of.parent / (name or of.name)
    assert page.exists(), f"{of.name}: {link} leads nowhere"
    known = anchors(page) if section else []
    assert not section or section in known, f"{of.name}: {link} leads to no section"
    return (name or of.name).replace(".zh.", "."), known.index(section) if section else -1


@BOTH
def test_each_leads_to_the_other_before_its_first_section(english: Path, chinese: Path) -> None:
    for page, other in ((english, chinese), (chinese, english)):
        assert f"]({other.name})" in page.read_text(encoding="utf-8").partition("\n## ")[0]


@BOTH
def test_nothing_is_left_in_english_and_no_latin_mark_stands_between_chinese_words(
    english: Path, chinese: Path
) -> None:
    for _, other in sentences(english, chinese):
        assert UNTRANSLATED.findall(other.prose) == [], other.source
        assert LATIN_MARK.findall(other.prose) == [], other.source
        assert other.prose.count("\u201c") == other.prose.count("\u201d"), other.source


@pytest.mark.parametrize(("english", "chinese"), pictures(), ids=lambda path: path.name)
def test_a_picture_has_its_chinese_and_both_draw_the_same_things(english: Path, chinese: Path) -> None:
    assert chinese.exists(), f"write {chinese.name}"
    for (thing, *words), (other, *theirs) in zip(drawn(english), drawn(chinese), strict=True):
        assert (other, len(theirs)) == (thing, len(words))
        assert [said for said in theirs if UNTRANSLATED.search(said) or LATIN_MARK.search(said)] == []
