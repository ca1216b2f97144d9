"""What the code's tables say, in Chinese: gettext's .po, read as pairs of texts."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FILE: Final = Path(__file__).parent / "zh_CN.po"
_FIELD: Final = re.compile(r'(msgid|msgstr)?\s*(".*")')


def read(text: str) -> dict[str, str]:
    """Return msgid: msgstr of a .po file's text; ValueError for a line that is none of it."""
    pairs: list[dict[str, str]] = []
    field = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = _FIELD.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"{FILE.name}: {line!r} is neither msgid nor msgstr")
        field = found[1] or field
        if found[1] == "msgid":
            pairs.append({"msgid": "", "msgstr": ""})
        pairs[-1][field] += ast.literal_eval(found[2])
    return {one["msgid"]: one["msgstr"] for one in pairs if one["msgid"]}


class Untranslated(Exception):
    """A text of a table has no Chinese."""


def into(language: str) -> Callable[[str], str]:
    """Return what translates; `Untranslated` names the text that it does not know."""
    if language == "en":
        return str
    known = read(FILE.read_text(encoding="utf-8"))

    def translated(text: str) -> str:
        if not known.get(text):
            raise Untranslated(f"{FILE.name} has no Chinese for {text!r}: add it.")
        return known[text]

    return translated
