"""The language of multipath.conf, in which multipathd also says what is in force (multipath.conf(5)).

Lines of a keyword and a value, sections in braces; `#` and `!` begin a comment outside of quotes. Whatever it
is given is read as far as it can be understood, as multipathd does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r'"([^"\n]*)"?|([{}])|([#!].*)|([^\s{}"]+)')


@dataclass
class Section:
    """A section with its values, in their order, and the sections in it."""

    name: str = ""
    values: list[tuple[str, str]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def all(self, key: str) -> list[str]:
        """Return every value of a keyword."""
        return [value for name, value in self.values if name == key]

    def get(self, key: str, default: str = "") -> str:
        """Return a keyword's value: the last one counts."""
        return next(iter(reversed(self.all(key))), default)

    def named(self, name: str) -> Iterator[Section]:
        """Yield the sections of that name; a name may come more than once."""
        return (one for one in self.sections if one.name == name)


def parse(text: str) -> Section:
    """Return the whole as a section without a name."""
    open_ones = [Section()]
    for line in text.splitlines():
        words: list[str] = []
        for quoted, brace, comment, word in (match.groups() for match in _TOKEN.finditer(line)):
            if comment:
                break
            if brace == "{":
                section = Section(words.pop(0) if words else "")
                open_ones[-1].sections.append(section)
                open_ones.append(section)
                words = []
            elif brace:
                _keep(open_ones[-1], words)
                words = []
                if len(open_ones) > 1:
                    open_ones.pop()
            else:
                words.append(word or quoted or "")
        _keep(open_ones[-1], words)
    return open_ones[0]


def _keep(section: Section, words: list[str]) -> None:
    if words:
        section.values.append((words[0], " ".join(words[1:])))
