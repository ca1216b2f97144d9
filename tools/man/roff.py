"""Text in the language of man(7): what roff would take for a command is escaped."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH: Final = 78  # of a line of a page's source, which mandoc wants below 80
INDENT: Final = 4
PARAGRAPH: Final = ".PP"
_WORD: Final = re.compile(
    r"\*\*(?P<strong>.+?)\*\*|`(?P<code>[^`]+)`|"
    r"\[(?P<link>[^\]]+)\]\([^)]+\)|\*(?P<slot>[A-Za-z][^*\s]*)\*"
)
# Without a space roff knows no place for a line to end, and Chinese has none.
_CLOSING: Final = "，。；：、！？）》”"
_BREAK: Final = re.compile(rf"(?<=[{_CLOSING}])(?=[^\s{_CLOSING}])(?!\\:)")
_LONG: Final = re.compile(r"[!-~]{40,}")  # a path; it may end a line behind each of its slashes
_TYPED: Final = re.compile(
    r"[!-~]*[/=][!-~]*|(?<![!-~])-[!-~]+|\b[0-9A-Za-z-]+\.[a-z]+\b"
)  # paths, options, file names
_HERE: Final = "\u200b"  # where a word may be broken, until roff's word for that is put in


def _plain(text: str) -> str:
    for sign, written in (("\\", r"\e"), ("~", r"\(ti"), ("^", r"\(ha")):
        text = text.replace(sign, written)
    return text


def escaped(text: str) -> str:
    """Return text; a tilde or a caret stays one, and is no accent, and a path or an option can be copied."""
    return _TYPED.sub(lambda found: found[0].replace("-", r"\-"), _plain(text))


def literal(text: str) -> str:
    """Return what is typed as it stands: a hyphen stays one, and is not broken at."""
    return _plain(text).replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")


def inline(text: str) -> str:
    """Return a text with `code` and **strong** words bold, *slots* in italics, links without their aim."""
    text = _LONG.sub(lambda found: found[0].replace("/", f"/{_HERE}"), text)
    made, end = [], 0
    for found in _WORD.finditer(text):
        made += [escaped(text[end : found.start()]), _marked(found)]
        end = found.end()
    whole = "".join([*made, escaped(text[end:])])
    return _BREAK.sub(r"\\:", whole.replace(_HERE, r"\:"))


def _marked(found: re.Match[str]) -> str:
    if found["slot"]:
        return rf"\fI{literal(found['slot'])}\fR"
    if found["code"]:
        return rf"\fB{literal(found['code'])}\fR"
    return inline(found["link"]) if found["link"] else rf"\fB{inline(found['strong'])}\fR"


def filled(text: str) -> Iterator[str]:
    """Yield a paragraph as lines; none of them begins like a command."""
    for line in textwrap.wrap(inline(text), WIDTH, break_long_words=False, break_on_hyphens=False):
        yield _guarded(line)


def block(lines: list[str]) -> Iterator[str]:
    """Yield lines that are printed as they are."""
    yield from (PARAGRAPH, f".RS {INDENT}", ".nf")
    yield from (_guarded(literal(line)) for line in lines)
    yield from (".fi", ".RE")


def quoted(text: str) -> str:
    """Return an argument of a macro."""
    return '"' + text.replace('"', r"\(dq") + '"'


def _guarded(line: str) -> str:
    return rf"\&{line}" if line.startswith((".", "'")) else line
