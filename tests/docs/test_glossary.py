"""One Chinese word for a term, in pages, pictures and programs: the glossary's in docs/translation.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.markdown import text
from tests.docs.translation import blocks, drawn, pages, pictures
from tools.install import ROOT
from tools.man.translation import OF_PAGES
from tools.messages import catalogue, po

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW: Final = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", re.MULTILINE)
UNSAID: Final = re.compile(
    r"`[^`]*`|«(?:[^«»]|«[^«»]*»)*»|“[^”]*”|\{\w*\}|\]\([^)]*\)|\w+\.\w+"
)  # code, quotations, links
Text = tuple[str, str, str]  # where it is, English, Chinese

OTHERWISE: Final = {
    "journald": "the service",
    "attach calls": "the calls of that name",
    "attach:": "what it is set to",
    "attach is": "what it is set to",
    "instoragectl arrays": "the command",
    "-primary master": "a word of the array's command",
    "for the place, unmapped": "not mapped yet",
    "mount(8)": "the program",
    "port is Online": "the kernel's word",
    "mkfs, mount": "the programs",
    "kubectl drain": "the command",
    "whose provisioner is": "the key of a StorageClass",
    "the provisioner name": "the key of a StorageClass",
}
"""English in which a term is a name that stays as it is."""


def glossary() -> list[tuple[list[str], list[str], list[str]]]:
    rows = ROW.findall(text("docs/translation.md").partition("## Glossary")[2])[2:]
    return [
        (english.split(", "), chinese.split(", "), [one for one in never.strip().split("、") if one])
        for english, chinese, never in rows
    ]


def terms() -> Iterator[tuple[re.Pattern[str], list[str]]]:
    """Yield what finds a term in English, and the words of which its Chinese has one."""
    for english, chinese, _ in glossary():
        for place, term in enumerate(english if not english[0].startswith("…") else []):
            words = [chinese[place]] if len(chinese) == len(english) else chinese
            yield re.compile(rf"(?<![\w-]){term}(?:s|e?d)?(?![\w-])", re.IGNORECASE), words


def of_programs() -> Iterator[Text]:
    for file in (catalogue.TRANSLATION, OF_PAGES):
        for english, chinese in po.read(file.read_text(encoding="utf-8")).items():
            yield file.name, english, chinese


def of_pages() -> Iterator[Text]:
    for english, chinese in [*pages(), *manual()]:
        both = zip(blocks(english.read_text()), blocks(chinese.read_text()), strict=True)
        yield from ((chinese.name, one.source, other.source) for one, other in both if not one.is_code)


def of_pictures() -> Iterator[Text]:
    for english, chinese in pictures():
        for (_, *words), (_, *theirs) in zip(drawn(english), drawn(chinese), strict=True):
            yield from ((chinese.name, one, other) for one, other in zip(words, theirs, strict=True))


def manual() -> list[tuple[Path, Path]]:
    found = sorted((ROOT / "tools/man/pages").glob("*.zh.md"))
    return [(path.with_name(path.name.replace(".zh.", ".")), path) for path in found]


def said(source: str) -> str:
    """A text without code, quotations and names that stay."""
    return re.sub("|".join(map(re.escape, OTHERWISE)), " ", UNSAID.sub(" ", " ".join(source.split())))


TEXTS: Final = [*of_programs(), *of_pages(), *of_pictures()]


@pytest.mark.parametrize(("term", "words"), [*terms()], ids=lambda one: getattr(one, "pattern", "")[10:-21])
def test_a_term_has_its_word_in_every_text(term: re.Pattern[str], words: list[str]) -> None:
    lost = [
        (where, english, chinese)
        for where, english, chinese in TEXTS
        if english != chinese and term.search(said(english)) and not any(word in chinese for word in words)
    ]
    assert lost == []


@pytest.mark.parametrize("word", [word for *_, never in glossary() for word in never])
def test_a_word_that_was_given_up_stands_nowhere(word: str) -> None:
    assert [(where, chinese) for where, _, chinese in TEXTS if word in said(chinese)] == []


def test_mounted_is_said_only_of_what_is_mounted() -> None:
    """The manual says 挂载 of the attach too, which here is 映射."""
    mounted = re.compile(r"mount|bound|file system at", re.IGNORECASE)
    wrong = [
        (where, english, chinese)
        for where, english, chinese in TEXTS
        if "挂载" in said(chinese) and not mounted.search(english)
    ]
    assert wrong == []


def test_the_glossary_and_the_texts_are_seen() -> None:
    assert len(glossary()) > 25
    assert all(english and chinese for english, chinese, _ in glossary())
    assert {"po", "md", "txt"} == {where.rpartition(".")[2] for where, _, _ in TEXTS}
    seen = {term.pattern for term, _ in terms() if any(term.search(said(one)) for _, one, _ in TEXTS)}
    assert seen == {term.pattern for term, _ in terms()}, "a term that no text has needs no row"
