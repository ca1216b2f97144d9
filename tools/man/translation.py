"""What tables say, in Chinese: as programs say it; `zh_CN.po` beside has what only a page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.messages import po

if TYPE_CHECKING:
    from collections.abc import Callable

OF_PROGRAMS: Final = Path(__file__).resolve().parents[2] / "po/zh_CN.po"
OF_PAGES: Final = Path(__file__).parent / "zh_CN.po"


class Untranslated(Exception):
    """A text of a table has no Chinese."""


def known(file: Path) -> dict[str, str]:
    """Return what a .po file translates; ValueError names a line that is none of it."""
    return {text: chinese for text, chinese in po.read(file.read_text(encoding="utf-8")).items() if chinese}


def into(language: str) -> Callable[[str], str]:
    """Return what translates; `Untranslated` names the text that it does not know."""
    if language == "en":
        return str
    chinese = known(OF_PAGES) | known(OF_PROGRAMS)

    def translated(text: str) -> str:
        if text not in chinese:
            raise Untranslated(f"tools/man/{OF_PAGES.name} has no Chinese for {text!r}: add it.")
        return chinese[text]

    return translated
