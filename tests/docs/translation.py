"""The pages for administrators in their two languages, taken apart block by block.

A block is a heading, a paragraph, an item of a list, a row of a table or code. A page `NAME.md` is English,
`NAME.zh.md` its Chinese. Code is the same but for remarks at the ends of its lines, in the reader's language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
# For who works on the product: English alone. A new page is an administrator's unless it is named here.
ENGINEERS: Final = frozenset(
    {"decisions", "development", "dist", "engineering", "extending", "lab", "reviews", "simulator", "soak"}
)

CODE_SPAN: Final = re.compile(r"(`+)(.+?)\1")
LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
REMARK: Final = re.compile(r"(?<=\S)[ ]{2,}(?:#|//) .*$| # .*$", re.MULTILINE)
_FENCE: Final = re.compile(r"^ *```")
_HEADING: Final = re.compile(r"^(#+) (.*)$")
_ITEM: Final = re.compile(r"^( *)(\*|-|\d+\.) (.*)$")


@dataclass(frozen=True)
class Block:
    """A piece of a page: `kind` is what a reader sees of it but for the words."""

    kind: str
    text: str

    @property
    def commands(self) -> set[str]:
        return {" ".join(found[1].split()) for found in CODE_SPAN.findall(self.text)}

    @property
    def links(self) -> list[str]:
        return [found[1] for found in LINK.findall(CODE_SPAN.sub("`", self.text))]

    @property
    def numbers(self) -> set[str]:
        return set(NUMBER.findall(self.prose))

    @property
    def prose(self) -> str:
        """The words, without code and without where links lead."""
        return LINK.sub(r"\1", CODE_SPAN.sub("`", self.text))


def blocks(text: str) -> list[Block]:
    """The blocks of a page in their order."""
    found: list[Block] = []
    pending: list[str] = []  # the lines of a fence that is open
    before = ""
    for line in text.splitlines():
        if pending or _FENCE.match(line):
            pending.append(line)
            if len(pending) > 1 and _FENCE.match(line):
                found.append(Block("code", "\n".join(pending)))
                pending = []
        elif line.startswith("    ") and (not before or _is_code(found)):
            _extend(found, "code", line, joined=bool(before))
        elif line.strip():
            _extend(found, *_kind(line), joined=bool(before))
        before = line.strip()
    assert not pending, "a fence without an end"
    return found


def _is_code(found: list[Block]) -> bool:
    return bool(found) and found[-1].kind == "code" and "```" not in found[-1].text


def _kind(line: str) -> tuple[str, str]:
    if heading := _HEADING.match(line):
        return heading[1], heading[2]
    if line.startswith("|"):
        return f"row of {CODE_SPAN.sub('`', line).count('|') - 1}", line
    if item := _ITEM.match(line):
        return f"item {len(item[1])}{item[2]}", item[3]
    return "paragraph", line.strip()


def _extend(found: list[Block], kind: str, text: str, *, joined: bool) -> None:
    """Add a line: to the block before when it goes on there."""
    goes_on = joined and bool(found) and (found[-1].kind.startswith(("paragraph", "item")) or kind == "code")
    if goes_on and kind in {"paragraph", "code"}:
        found[-1] = Block(found[-1].kind, f"{found[-1].text}\n{text}")
    else:
        found.append(Block(kind, text))


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading: letters of every script stay."""
    words = CODE_SPAN.sub(r"\2", LINK.sub(r"\1", heading)).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(page: Path) -> list[str]:
    """Those of a page, in the order of its headings."""
    return [
        anchor(block.text) for block in blocks(page.read_text(encoding="utf-8")) if block.kind.startswith("#")
    ]


def pages() -> list[tuple[Path, Path]]:
    """Each page for administrators, English and Chinese; the second may not be there."""
    names = sorted(path.stem for path in DOCS.glob("*.md") if not path.stem.endswith(".zh"))
    return [(DOCS / f"{name}.md", DOCS / f"{name}.zh.md") for name in names if name not in ENGINEERS]
