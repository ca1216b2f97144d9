"""Translates finished English sentences, of this process or another one, by the templates they were made from.

A catalogue of gettext (`.mo`) has templates, «Volume {name} is offline on array {array}.», and their
translations. A sentence is compared with them; what stands at the placeholders is carried over, translated
itself only where it is a text of the catalogue. What is no whole template is taken apart: into sentences, then
at «;», «:» and «,». What still has no translation stays English, and nothing is ever left out.
"""

from __future__ import annotations

import functools
import pkgutil
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DIRECTORY = Path(__file__).resolve().parent / "locale"
_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)\}(?!\})|\{\{\{(\w+)\}\}\}|\{\{\{(\w+)\}|\{(\w+)\}\}\}")
_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")
_BREAKS = tuple(re.compile(one) for one in (r"((?<=[.?!»])\s+(?=[^a-z\s]))", r"(;\s+)", r"(:\s+)", r"(,\s+)"))
_ENDS = ("。", "：", "；", "，", "？", "）")
_LONGEST = 8000  # characters of a text that is compared
_DEEPEST = 4
_CLEAR = 9  # letters of a template's own, from which on its values may have spaces


def messages(data: bytes) -> dict[str, str]:
    """Return the texts and translations of a `.mo`; ValueError when it is none."""
    try:
        magic, _, count, texts, translations = struct.unpack_from("<5I", data)
        if magic != 0x950412DE:
            raise ValueError("it is no catalogue of messages")
        return {_text(data, texts + 8 * n): _text(data, translations + 8 * n) for n in range(count)}
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def _text(data: bytes, entry: int) -> str:
    length, at = struct.unpack_from("<2I", data, entry)
    return data[at : at + length].decode()


def translator(language: str) -> Callable[[str], str] | None:
    """Return what translates into a language, or None when this program has no catalogue of it."""
    try:
        data = pkgutil.get_data("instorage", f"locale/{language}/LC_MESSAGES/instorage.mo")
        return Translation(messages(data or b"")).said
    except (OSError, ValueError):
        return None


class Template:
    """A text with placeholders, and its translation."""

    def __init__(self, text: str, translation: str) -> None:
        self.text, self.translation = text, translation
        self.pieces = list(_parts(text))
        literals = [piece for name, piece in self.pieces if not name]
        self.anchor = max(literals, key=len, default="")
        self.weight = sum(map(len, literals))
        self._clear = sum(one.isalpha() for piece in literals for one in piece) >= _CLEAR

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """What fits the texts that are made of it; short ones fit no more than words."""
        value = ".*?" if self._clear else r"\S*?"
        made = (f"(?P<{name}>{value})" if name else re.escape(piece) for name, piece in self.pieces)
        return re.compile("".join(made), re.DOTALL)

    def values(self, text: str) -> dict[str, str] | None:
        """Return what stands at the placeholders, or None when `text` was not made of this."""
        if self.anchor not in text:
            return None
        found = self.pattern.fullmatch(text)
        return None if found is None else found.groupdict()

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the translation with these values."""
        return "".join(values[name] if name else piece for name, piece in _parts(self.translation))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield a template's placeholders as (name, «») and what is between them as («», piece)."""
    literal, at = "", 0
    while at < len(text):
        name = re.compile(r"\{(\w+)\}").match(text, at)
        if text[at : at + 2] in ("{{", "}}"):
            literal, at = literal + text[at], at + 2
        elif name:
            if literal:
                yield "", literal
            yield name[1], ""
            literal, at = "", name.end()
        else:
            literal, at = literal + text[at], at + 1
    if literal:
        yield "", literal


class Translation:
    """A catalogue in use."""

    def __init__(self, found: Mapping[str, str]) -> None:
        made = [Template(key.strip(), value.strip()) for key, value in found.items() if key and value]
        holding = [one for one in made if any(name for name, _ in one.pieces)]
        self._exact = {
            "".join(piece for _, piece in one.pieces): one.filled({})
            for one in made
            if not any(name for name, _ in one.pieces)
        }
        self._templates = sorted(holding, key=lambda one: (-one.weight, len(one.pieces)))
        self.said = functools.lru_cache(maxsize=1024)(self._said)

    def _said(self, text: str) -> str:
        """Return a text, of one line or several and coloured or not, translated as far as that is known."""
        if len(text) > _LONGEST:
            return text
        return self._framed(text, 0)

    def _framed(self, text: str, depth: int) -> str:
        """Translate what stands between the white space around a text."""
        inner = text.strip()
        if not inner or depth > _DEEPEST:
            return text
        before, after = text[: text.index(inner[0])], text[len(text.rstrip()) :]
        return before + self._translated(inner, depth) + after

    def _translated(self, text: str, depth: int) -> str:
        whole = self._whole(text, depth)
        if whole is not None:
            return whole
        for one in (re.compile(r"(\n)"), _COLOUR):
            if one.search(text):
                return "".join(self._framed(piece, depth) for piece in one.split(text))
        return self._apart(text, 0, depth)

    def _whole(self, text: str, depth: int) -> str | None:
        """Return the translation of a text that is one template, or None."""
        if text in self._exact:
            return self._exact[text]
        for one in self._templates:
            values = one.values(text)
            if values is not None:
                return one.filled({name: self._value(value, depth) for name, value in values.items()})
        return None

    def _value(self, text: str, depth: int) -> str:
        """Translate a value when it is a text of ours: a single word is a name, a code or a number."""
        return self._framed(text, depth + 1) if " " in text.strip() else text

    def _apart(self, text: str, level: int, depth: int) -> str:
        """Translate a text piece by piece; as many in a row as are one template count as one."""
        if level == len(_BREAKS):
            return text
        pieces = _BREAKS[level].split(text)
        if len(pieces) == 1:
            return self._apart(text, level + 1, depth)
        made, at = "", 0
        while at < len(pieces):
            end, found = self._longest(pieces, at, depth)
            made = _joined(made, found if found is not None else self._apart(pieces[at], level + 1, depth))
            at = end
            if at < len(pieces):
                made, at = made + pieces[at], at + 1
        return made

    def _longest(self, pieces: list[str], at: int, depth: int) -> tuple[int, str | None]:
        """Return where the longest run of pieces from `at` that is a template ends, and its translation."""
        ends = range(len(pieces) if at else len(pieces) - 2, at, -2)
        for end in ends:
            text = "".join(pieces[at:end])
            found = self._whole(text, depth) if " " in text else None
            if found is not None:
                return end, found
        return at + 1, None


def _joined(before: str, after: str) -> str:
    """Put two pieces together; after a Chinese full stop no space is written."""
    return before.rstrip(" ") + after if before.rstrip(" ").endswith(_ENDS) else before + after
