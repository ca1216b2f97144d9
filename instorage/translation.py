"""Translates finished English sentences, of this process or another, by the templates they were made from.

A catalogue of gettext (`.mo`) has templates, «Volume {name} is offline on array {array}.», with their
translations. A sentence is compared with them; what stands at the placeholders is carried over, translated
itself only where it is a text of the catalogue. What is no whole template is taken apart: at «.», «;»
and «:», then at «,». What still has no translation stays English, and nothing is ever left out.
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
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_FRAMES = re.compile("(\n|\x1b\\[[0-9;]*m)")  # lines, and colours of a terminal
_BREAKS = tuple(re.compile(one) for one in (r"((?<=[.?!»])\s+(?=[^a-z\s])|[;:]\s+)", r"(,\s+)"))
_RUN = 24  # pieces in a row that are compared as one
_ENDS = ("。", "：", "；", "，", "？", "）")
_LONGEST = 4000  # characters of a text that is compared
_DEEPEST = 4
_CHOICE = 3  # templates that fit are compared
_LATIN = re.compile("[A-Za-z]")
_GAP = re.compile("(?<=\\S) (?=[（，；：。])")
_CLEAR = 10  # characters of a template's own, from which on its values may have spaces


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
        self.weight = sum(map(len, literals))
        names = [name for name, _ in self.pieces if name]
        # A short one, «{name} is {state}», would fit what others say too: its values are words, but for one
        # that follows a colon at its end.
        free = self.weight >= _CLEAR
        colon = len(self.pieces) > 1 and self.pieces[-2][1].endswith(": ")
        self._words = [] if free else names[:-1] if colon else names

    def values(self, text: str) -> dict[str, str] | None:
        """Return what stands at the placeholders, or None when `text` was not made of this.

        Each value ends where the next piece first comes, so that this takes one pass; of two side by side the
        second has all.
        """
        found, at, name = {}, 0, ""
        for number, (named, piece) in enumerate(self.pieces):
            if named:
                found[named], name = "", named
                continue
            where = self._place(piece, number, text, at, name)
            if where < at:
                return None
            if name:
                found[name] = text[at:where]
            at, name = where + len(piece), ""
        if name:
            found[name] = text[at:]
        elif at != len(text):
            return None
        return found if self._fits(found) else None

    def _place(self, piece: str, number: int, text: str, at: int, name: str) -> int:
        """Return where a piece of the template is in `text` from `at`, -1 when it is not there."""
        if name and number == len(self.pieces) - 1:
            return len(text) - len(piece) if text.endswith(piece) else -1
        return text.find(piece, at) if name else (at if text.startswith(piece, at) else -1)

    def _fits(self, found: Mapping[str, str]) -> bool:
        """Say whether values can be what stood there."""
        last = found.get(self.pieces[-1][0], "")
        if last.endswith(".") and " " not in last:
            return False  # the full stop is that of a sentence around, and no part of the value
        return not any(" " in found[name] for name in self._words)

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the translation with these values."""
        return "".join(values[name] if name else piece for name, piece in _parts(self.translation))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield a template's placeholders as (name, «») and what is between them as («», piece)."""
    literal, at = "", 0
    while at < len(text):
        name = _PLACEHOLDER.match(text, at)
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
        # What begins with its own words says more of a text than what only ends with them.
        self._templates = sorted(holding, key=lambda one: (bool(one.pieces[0][0]), -one.weight))
        self.said = functools.lru_cache(maxsize=1024)(self._said)

    def _said(self, text: str) -> str:
        """Return a text, of one line or several and coloured or not, translated as far as that is known."""
        if len(text) > _LONGEST:
            return text
        if text.strip() in self._exact or not _FRAMES.search(text.strip()):
            return self._framed(text, 0)
        pieces = _FRAMES.split(text)  # every second one is what was split at
        return "".join(one if at % 2 else self._framed(one, 0) for at, one in enumerate(pieces))

    def _framed(self, text: str, depth: int) -> str:
        """Translate what stands between the white space around a text."""
        inner = text.strip()
        if not inner or depth > _DEEPEST:
            return text
        before, after = text[: text.index(inner[0])], text[len(text.rstrip()) :]
        found = self._found(inner, depth)
        return before + _GAP.sub("", self._apart(inner, 0, depth) if found is None else found) + after

    def _found(self, text: str, depth: int) -> str | None:
        """Return the translation of a template, also with a full stop, or a name before it."""
        whole = self._sentence(text, depth)
        name, _, rest = text.partition(" ")
        if whole is None and " " in rest and name[-1] not in ",;:":
            whole = self._sentence(rest, depth)
            whole = None if whole is None else f"{name} {whole}"
        return whole

    def _sentence(self, text: str, depth: int) -> str | None:
        """Return the translation of a template, with or without a full stop of the sentence that it ends."""
        made = [self._whole(text, depth)]
        if text.endswith("."):
            short = self._whole(text[:-1], depth)
            made.append(None if short is None else f"{short}。")
        return min(filter(None, made), key=_left, default=None)

    def _whole(self, text: str, depth: int) -> str | None:
        """Return the translation of a text that is one template, or None; of several the most translated."""
        if text in self._exact:
            return self._exact[text]
        made = []
        for one in self._templates:
            values = one.values(text)
            if values is not None:
                made.append(one.filled({name: self._value(value, depth) for name, value in values.items()}))
                if len(made) == _CHOICE:
                    break
        return min(made, key=_left, default=None)

    def _value(self, text: str, depth: int) -> str:
        """Translate a value when it is a text of ours: a single word is a name, a code or a number."""
        return self._framed(text, depth + 1) if " " in text.strip() else text

    def _apart(self, text: str, level: int, depth: int) -> str:
        """Translate a text piece by piece; as many in a row as are one template count as one."""
        if level == len(_BREAKS):
            return self._begun(text, depth)
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

    def _begun(self, text: str, depth: int) -> str:
        """Translate a text that begins with a whole one of the catalogue, and goes on."""
        fits = (one for one in self._exact if one.count(" ") >= 2 and text.startswith(f"{one} "))
        begin = max(fits, key=len, default="")
        return self._exact[begin] + self._framed(text[len(begin) :], depth + 1) if begin else text

    def _longest(self, pieces: list[str], at: int, depth: int) -> tuple[int, str | None]:
        """Return where the longest run of pieces from `at` that is a template ends, and its translation."""
        last = len(pieces) if at else len(pieces) - 2  # all in a row were compared before
        run = min(_RUN, 200 // len(pieces) + 1)  # a text of hundreds of pieces is none of ours
        ends = range(min(last, at + 2 * run + 1), at, -2)
        for end in ends:
            text = "".join(pieces[at:end])
            found = self._found(text, depth) if " " in text else None
            if found is not None:
                return end, found
        return at + 1, None


def _left(text: str) -> int:
    """Return how much of a text is not translated."""
    return len(_LATIN.findall(text))


def _joined(before: str, after: str) -> str:
    """Put two pieces together; after a Chinese full stop no space is written."""
    return before.rstrip(" ") + after if before.rstrip(" ").endswith(_ENDS) else before + after
