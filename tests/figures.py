"""Figures that a measuring test writes down for `make bench`; else they are only held to their limits."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.measured import FILE


def note(
    part: str, what: str, value: float, unit: str, limit: float | None = None, at: float | None = None
) -> None:
    """Add one figure to the file that the environment names."""
    if path := os.environ.get(FILE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(Figure(part, what, value, unit, limit, at).line + "\n")
