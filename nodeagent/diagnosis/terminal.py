"""Colours, where somebody looks: on a terminal, and not when NO_COLOR is set (no-color.org)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from nodeagent.diagnosis.finding import Severity

_COLOURS = {"error": "31;1", "warning": "33;1", "ok": "32"}


def coloured(stream: TextIO | None = None) -> bool:
    """Say whether colours are wanted on `stream` (standard output)."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@dataclass(frozen=True)
class Paint:
    """Puts colours on words, or leaves them when `on` is false."""

    on: bool

    @classmethod
    def here(cls) -> Paint:
        """As standard output wants it."""
        return cls(coloured())

    def severity(self, severity: Severity, text: str) -> str:
        """Return `text` in the colour of a severity."""
        return self._code(_COLOURS[severity.value], text)

    def bold(self, text: str) -> str:
        """Return `text` in bold."""
        return self._code("1", text)

    def faint(self, text: str) -> str:
        """Return `text` so that it stands back."""
        return self._code("2", text)

    def _code(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text
