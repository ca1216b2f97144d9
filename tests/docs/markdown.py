"""Every page of the checkout, and what stands in them: fences, commands, words."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from tools.install import ROOT
from tools.man.page import SOURCES
from tools.site import pages as names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

PAGES = tuple(names())
MANUAL = tuple(sorted(f"{SOURCES.relative_to(ROOT)}/{path.name}" for path in SOURCES.glob("*.md")))
"""The sources of the man pages, without what tables of the code and of docs/ put into them."""
EVERY = PAGES + MANUAL
WORD = re.compile(r"(?<![\w./_-])[A-Za-z][A-Za-z'’]*[A-Za-z](?![\w/_-]|\.\w)")  # no piece of a name or number
DIRECTIVE = re.compile(r"^{{ .* }}$")  # of a man page: a table of the code stands there
PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Fence:
    """A block of code: the page, its line there, the language, the text."""

    page: str
    line: int
    language: str
    text: str


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@functools.cache
def parsed(page: str) -> list[Token]:
    return PARSER.parse(text(page))


def fences(page: str) -> Iterator[Fence]:
    for token in parsed(page):
        if token.type == "fence":
            assert token.map
            yield Fence(page, token.map[0] + 1, token.info.partition(" ")[0], token.content)


def of_language(language: str) -> list[Fence]:
    return [fence for page in EVERY for fence in fences(page) if fence.language == language]


def code(page: str) -> Iterator[str]:
    """Yield each line of code of a page, in blocks and in sentences, without remarks."""
    for token in parsed(page):
        if token.type in ("fence", "code_block"):
            yield from (re.sub(r"\s+#.*$", "", line).strip() for line in token.content.splitlines())
        for child in token.children or ():
            if child.type == "code_inline":
                yield " ".join(child.content.split())


def words(page: str) -> Iterator[str]:
    """Yield the words of a page's sentences: no code, no links' targets."""
    for token in parsed(page):
        for child in token.children or ():
            if child.type == "text":
                yield from WORD.findall(DIRECTIVE.sub("", child.content))
