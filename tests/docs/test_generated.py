"""What is made from a text or a table is what that says now; and a mistake in a picture's text is named."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from instorage.catalogue.table import CATALOGUE, message_id
from instorage.wire.interface import VERBS
from tests.docs.markdown import text
from tools import code_pages, pictures


@pytest.mark.parametrize("language", code_pages.languages(), ids=lambda language: language.file.name)
def test_the_page_of_codes_is_that_of_the_catalogue(language: code_pages.Language) -> None:
    assert text(f"docs/{language.file.name}") == code_pages.page(language), "run: python -m tools.code_pages"


def test_every_code_has_a_section_with_its_words() -> None:
    page = text("docs/codes.md")
    for code, entry in CATALOGUE.items():
        section = page.partition(f"\n### {code.value}\n")[2].partition("\n### ")[0]
        for words in (entry.meaning, entry.cause, entry.mend, message_id(code)):
            assert words in section, code


def test_the_pictures_are_those_of_their_texts() -> None:
    assert [path.name for path in pictures.outdated()] == [], "run: python -m tools.pictures"
    assert {path.stem for path in pictures.FOLDER.glob("*.svg")} == {
        path.stem for path in pictures.FOLDER.glob("*.txt")
    }


def test_a_picture_is_whole_xml_with_its_title_and_nothing_from_elsewhere() -> None:
    found = pictures.drawn(
        "title A <b>\nsize 100 90\nbox a 0 0 50 20 root | one & two | three\ntext 3 80 | end\n"
    )
    root = ET.fromstring(found)
    words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words == ["one & two", "three", "end"]
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "A <b>"
    assert found.count("http") == 1


def test_an_arrow_goes_from_edge_to_edge() -> None:
    boxes = "title T\nsize 300 300\nbox a 0 0 100 40 plain | a\nbox b 0 100 100 40 plain | b\n"
    assert "M50 40L50 100" in pictures.drawn(boxes + "arrow a b | down")
    assert "M50 100L50 40" in pictures.drawn(boxes + "arrow b a | up")
    assert "M100 20L200 20" in pictures.drawn(boxes + "box c 200 0 50 40 plain | c\narrow a c | aside")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bix a 1 2 3 4 root | x", "'bix'"),
        ("box a 1 2 3 root | x", "4 numbers are wanted"),
        ("box a 1 2 3 4 green | x", "'green'"),
        ("arrow a b", "'a'"),
        ("text one 2 | x", "invalid literal"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(line: str, said: str) -> None:
    with pytest.raises(pictures.Mistake, match=rf"^line 3, «{re.escape(line)}»: .*{re.escape(said)}"):
        pictures.drawn(f"title T\nsize 9 9\n{line}\n")


def test_a_picture_without_title_or_size_is_refused() -> None:
    with pytest.raises(pictures.Mistake, match="a title and a size"):
        pictures.drawn("size 9 9\n")


@pytest.mark.parametrize(("page", "said"), [("security", "fifteen verbs"), ("security.zh", "十五种操作")])
def test_the_page_counts_the_helpers_verbs(page: str, said: str) -> None:
    assert len(VERBS) == 15
    assert said in text(f"docs/{page}.md")
