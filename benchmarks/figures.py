"""What was measured: figures with their targets, as JSON lines, as a table, and which of them miss."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WIDTH = 62  # characters of a figure's name in the table


@dataclass(frozen=True)
class Figure:
    """One figure. `unit` is s, ms, MiB, commands, connections, «of the floor» or another word for people.

    `limit` is the highest value that the requirement takes (performance.md), None where there is none; `at`
    is what it was measured at (a number of volumes, hosts or nodes), for a curve.
    """

    part: str
    what: str
    value: float
    unit: str
    limit: float | None = None
    at: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it is worse than the requirement."""
        return self.limit is not None and self.value > self.limit

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a JSON line that `line` wrote."""
        return cls(**json.loads(line))

    @property
    def line(self) -> str:
        """The figure as one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read(path: Path) -> list[Figure]:
    """Return the figures of a file of JSON lines; none when there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Figure.parse(line) for line in lines if line]


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as text, by part, with what misses its target marked."""
    lines: list[str] = []
    part = ""
    for figure in figures:
        if figure.part != part:
            part = figure.part
            lines += ["", part]
        what = figure.what if figure.at is None else f"{figure.what} [{figure.at:g}]"
        limit = "" if figure.limit is None else f"  (at most {figure.limit:g})"
        mark = "  MISSED" if figure.missed else ""
        lines.append(f"  {what:<{WIDTH}} {figure.value:>9.2f} {figure.unit}{limit}{mark}")
    return "\n".join(lines[1:])
