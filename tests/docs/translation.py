"""The pages for administrators and their pictures in their two languages, taken apart block by block.

A page `NAME.md` is English, `NAME.zh.md` its Chinese. Code is the same in both but for remarks at the ends of
its lines, in the reader's language.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.docs.markdown import PARSER
from tools.install import ROOT
from tools.pictures import FOLDER
from tools.site import anchor

if TYPE_CHECKING:
    from pathlib import Path

    from markdown_it.token import Token

DOCS: Final = ROOT / "docs"
# For who works on the product: English alone. A new page is an administrator's unless it is named here.
ENGINEERS: Final = frozenset({
    "decisions", "development", "diagnosed", "dist", "engineering", "extending", "lab", "reviews",
    "simulator", "soak", "translation",
})  # fmt: skip
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
REMARK: Final = re.compile(r"\s+# .*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a cell of a table or code; `kind` is the elements that it stands in."""

    kind: str
    source: str
    prose: str = ""  # the words, without code and without where links lead
    commands: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()

    @property
    def is_code(self) -> bool:
        return self.kind.endswith(("fence", "code_block"))

    @property
    def numbers(self) -> set[str]:
        return set(NUMBER.findall(self.prose))


def blocks(text: str) -> list[Block]:
    """The blocks of a page in their order."""
    found, within = [], [""]
    for token in PARSER.parse(text):
        if token.nesting == 1:
            within.append(f"{within[-1]} {token.tag}")
        elif token.nesting == -1:
            within.pop()
        elif token.type == "inline":
            found.append(_words(within[-1], token))
        else:
            found.append(Block(f"{within[-1]} {token.type}", f"{token.info}\n{token.content}"))
    return found


@functools.cache
def of_page(page: Path) -> list[Block]:
    return blocks(page.read_text(encoding="utf-8"))


def _words(kind: str, token: Token) -> Block:
    children = token.children or []
    prose = "".join(
        " " if one.type.endswith("break") else one.content for one in children if one.type != "code_inline"
    )
    links = (one.attrs.get("href") or one.attrs.get("src") for one in children)
    commands = frozenset(" ".join(one.content.split()) for one in children if one.type == "code_inline")
    return Block(kind, token.content, prose, commands, tuple(str(link) for link in links if link))


@functools.cache
def anchors(page: Path) -> list[str]:
    """The anchors of a page's headings, in their order."""
    tokens = PARSER.parse(page.read_text(encoding="utf-8"))
    pairs = itertools.pairwise(tokens)
    return [
        anchor("".join(child.content for child in after.children or ()))
        for one, after in pairs
        if one.type == "heading_open"
    ]


def pages() -> list[tuple[Path, Path]]:
    """Each page for administrators, English and Chinese; the second may not be there."""
    names = sorted(path.stem for path in DOCS.glob("*.md") if not path.stem.endswith(".zh"))
    found = [DOCS / f"{name}.md" for name in names if name not in ENGINEERS]
    found += [ROOT / "deploy/README.md", ROOT / "README.md"]
    return [(page, page.with_suffix(".zh.md")) for page in found]


def pictures() -> list[tuple[Path, Path]]:
    """The text of each picture, English and Chinese; the second may not be there."""
    found = sorted(path for path in FOLDER.glob("*.txt") if not path.stem.endswith(".zh"))
    return [(path, path.with_suffix(".zh.txt")) for path in found]


def drawn(picture: Path) -> list[list[str]]:
    """Each line of a picture's text: what is drawn and where, then what is shown there."""
    lines = [line for line in picture.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [line.replace("title ", "title | ", 1).split(" | ") for line in lines]
