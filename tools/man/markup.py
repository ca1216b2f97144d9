r"""A page's source, a small Markdown, as man(7).

`## HEAD` and `### head`; paragraphs; `* ` lists; fenced blocks; terms, which are told what they are by lines
that begin with `: ` below them; a table's rows are terms with the other cells as text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tools.man import roff
from tools.man.roff import PARAGRAPH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FENCE: Final = "```"
ITEM: Final = "* "
TOLD: Final = ": "
_RULE: Final = re.compile(r"\|(?:-+\|)+")

_VALUES: Final = ("true:", "false:")  # of a key, with which a text begins
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


def rendered(lines: Sequence[str]) -> Iterator[str]:
    """Yield the page's lines below its title; a paragraph directly below a heading needs no macro."""
    begins = False
    for chunk in _blocks(lines):
        made = list(_heading(chunk[0]) if chunk[0].startswith("#") else _chunk(chunk))
        yield from made[1:] if begins and made[0] == PARAGRAPH else made
        begins = chunk[0].startswith("#")


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield what stands between empty lines; a fenced block is one, whatever is in it."""
    found: list[str] = []
    fenced = False
    for line in lines:
        if line.startswith(FENCE):
            fenced = not fenced
        if line or fenced:
            found.append(line)
        elif found:
            yield found
            found = []
    if found:
        yield found


def _heading(line: str) -> Iterator[str]:
    macro = ".SS" if line.startswith("###") else ".SH"
    yield f"{macro} {roff.quoted(roff.inline(line.lstrip('# ')))}"


def _chunk(chunk: list[str]) -> Iterator[str]:
    if chunk[0].startswith(FENCE):
        yield from roff.block(chunk[1:-1])
    elif chunk[0].startswith(ITEM):
        for text in _gathered(chunk, ITEM):
            yield r".IP \(bu 2"
            yield from roff.filled(text)
    elif len(chunk) > 1 and chunk[1].startswith(TOLD):
        yield from _terms(chunk)
    else:
        yield PARAGRAPH
        yield from roff.filled(" ".join(chunk))


def _gathered(chunk: list[str], begin: str) -> list[str]:
    """Join the lines that go on with the one before them."""
    found: list[str] = []
    for line in chunk:
        if line.startswith(begin):
            found.append(line.removeprefix(begin))
        else:
            found[-1] = f"{found[-1]} {line.strip()}"
    return found


def _terms(chunk: list[str]) -> Iterator[str]:
    told = False
    for line in _unwrapped(chunk):
        if line.startswith(TOLD):
            if told:
                yield ".sp"
            yield from roff.filled(line.removeprefix(TOLD))
            told = True
        else:
            yield ".TP"
            yield roff.inline(line)
            told = False


def _unwrapped(chunk: list[str]) -> list[str]:
    """Join what a term is told with the lines on which it goes on: those that are told nothing themselves."""
    found: list[str] = []
    for line, after in zip(chunk, [*chunk[1:], ""], strict=True):
        goes_on = not line.startswith(TOLD) and not after.startswith(TOLD)
        if goes_on and found and found[-1].startswith(TOLD):
            found[-1] = f"{found[-1]} {line}"
        else:
            found.append(line)
    return found


def sentence(text: str) -> str:
    """Return a text of a table as a sentence: begun as one unless it begins with what is typed, and ended."""
    first = text.partition(" ")[0]
    typed = first in _VALUES or not first.rstrip(",:'").isalpha()
    shown = text if typed else f"{text[:1].upper()}{text[1:]}"
    if shown.endswith((".", "。")):
        return shown
    return f"{shown}{'。' if _CHINESE.search(shown) else '.'}"


def table(lines: Sequence[str]) -> list[list[str]]:
    """Return a Markdown table's rows of cells, its head first."""
    rows = [line for line in lines if line.startswith("|") and not _RULE.fullmatch(line)]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
