"""Files of gettext: `.po` and `.pot` for people who translate, `.mo` for programs that show it.

The form is that of gettext's manual (10.3, «The Format of GNU MO Files»); what is written is the same bytes
for the same entries. An entry that is marked fuzzy counts as not translated.
"""

from __future__ import annotations

import ast
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MAGIC = 0x950412DE
_HEAD = 28  # bytes
_HEADER = (
    "Project-Id-Version: instorage-k8s\nLanguage: {language}\nMIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"
)


@dataclass(frozen=True)
class Entry:
    """A text, the files that it comes from, and its translation («» when there is none yet)."""

    text: str
    files: tuple[str, ...]
    translation: str = ""


def written(entries: Iterable[Entry], language: str = "") -> str:
    """Return the text of a `.po`; without a language that of the template, `.pot`."""
    blocks = [f'msgid ""\nmsgstr ""\n{_lines(_HEADER.format(language=language))}']
    for one in entries:
        where = "".join(f"#: {file}\n" for file in one.files)
        kind = "#, python-brace-format\n" if "{" in one.text else ""
        blocks.append(f"{where}{kind}msgid {_quoted(one.text)}\nmsgstr {_quoted(one.translation)}\n")
    return "\n".join(blocks)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    if "\n" in escaped[:-1]:
        return '""\n' + _lines(text).rstrip("\n")
    return '"' + escaped.replace("\n", "\\n") + '"'


def _lines(text: str) -> str:
    return "".join(_quoted(line) + "\n" for line in re.findall("[^\n]*\n|[^\n]+", text))


def read(text: str) -> dict[str, str]:
    """Return the translations of a `.po` by their texts, the header left out; ValueError names the line."""
    found: dict[str, str] = {}
    for block in _blocks(text):
        if block["msgid"] and block["msgid"] in found:
            raise ValueError(f"«{block['msgid']}» stands there a second time: keep one of them.")
        if block["msgid"]:
            found[block["msgid"]] = "" if block["fuzzy"] else block["msgstr"]
    return found


def _blocks(text: str) -> Iterator[dict[str, str]]:
    block, into = {"msgid": "", "msgstr": "", "fuzzy": ""}, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if not line.strip():
            if into:
                yield block
            block, into = {"msgid": "", "msgstr": "", "fuzzy": ""}, ""
        elif line.startswith("#"):
            if line.startswith("#,") and "fuzzy" in line:
                block["fuzzy"] = "fuzzy"
        else:
            into = _taken(block, into, line, number)


def _taken(block: dict[str, str], into: str, line: str, number: int) -> str:
    """Take one line of an entry into `block`; return the key that the next line goes on with."""
    word, quote, rest = line.partition('"')
    into = word.strip() or into
    if into not in ("msgid", "msgstr") or not quote:
        raise ValueError(f"line {number} is none of a .po file: {line}")
    try:
        block[into] += ast.literal_eval(quote + rest)
    except (SyntaxError, ValueError):
        raise ValueError(f"line {number} is no text in quotes: {line}") from None
    return into


def compiled(messages: Mapping[str, str], language: str) -> bytes:
    """Return the `.mo` of what is translated."""
    pairs = {
        "": _HEADER.format(language=language),
        **{key: value for key, value in messages.items() if value},
    }
    keys = sorted(pairs, key=str.encode)
    texts = [[key.encode() for key in keys], [pairs[key].encode() for key in keys]]
    tables, at = [], _HEAD + 16 * len(keys)
    for side in texts:
        for text in side:
            tables += [len(text), at]
            at += len(text) + 1
    head = (_MAGIC, 0, len(keys), _HEAD, _HEAD + 8 * len(keys), 0, at)
    return struct.pack(f"<7I{len(tables)}I", *head, *tables) + _joined(texts)


def _joined(texts: Sequence[Sequence[bytes]]) -> bytes:
    return b"".join(text + b"\0" for side in texts for text in side)
