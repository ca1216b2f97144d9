"""A picture of bars in time: one SVG file that any browser shows, with nothing from elsewhere in it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOURS = {
    "call": "#4a5568", "phase": "#3182ce", "command": "#dd6b20", "verb": "#38a169", "helper": "#38a169",
    "program": "#805ad5", "probe": "#00a3c4", "wait": "#e53e3e", "gap": "#f6ad55",
    "p50": "#2b6cb0", "p95": "#63b3ed", "max": "#bee3f8",
}  # fmt: skip
_NAMES, _BARS, _ROW, _TOP = (
    430,
    760,
    20,
    64,
)  # pixels: width of names and of bars, height of a row, of the head
_LETTERS = 62  # of a name that fit


@dataclass(frozen=True)
class Bar:
    """From `at` for `took` ms."""

    kind: str
    at: float
    took: float


@dataclass(frozen=True)
class Row:
    """A name, how deep it stands, its bars (the first lies lowest), a note for who points at it."""

    name: str
    depth: int
    bars: tuple[Bar, ...]
    note: str = ""


def drawn(title: str, rows: Sequence[Row]) -> str:
    """Return the file's text; the rows from above, the time from left to right."""
    longest = max((bar.at + bar.took for row in rows for bar in row.bars), default=0.0) or 1.0
    height, width = _TOP + _ROW * len(rows) + 16, _NAMES + _BARS + 90
    kinds = dict.fromkeys(bar.kind for row in rows for bar in row.bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        f"<title>{escape(title)}</title><style>text{{font:12px sans-serif}}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20">{escape(title)}</text>',
        *_legend(tuple(kinds)),
        *_scale(longest, height),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * number, longest)
    return "\n".join([*parts, "</svg>", ""])


def _legend(kinds: Sequence[str]) -> list[str]:
    found = []
    for number, kind in enumerate(kinds):
        x = 8 + 95 * number
        found.append(f'<rect x="{x}" y="32" width="10" height="10" fill="{_COLOURS.get(kind, "#718096")}"/>')
        found.append(f'<text x="{x + 14}" y="41">{escape(kind)}</text>')
    return found


def _scale(longest: float, height: int) -> list[str]:
    """Return lines at a round number of ms, four to nine of them."""
    step = 10.0 ** len(str(int(longest))) / 100
    while longest / step > 9:
        step *= 2 if longest / step < 18 else 5
    found = []
    for number in range(int(longest / step) + 1):
        x = _NAMES + _BARS * number * step / longest
        found.append(f'<line x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{height - 12}" stroke="#e2e8f0"/>')
        found.append(f'<text x="{x + 2:.1f}" y="{_TOP - 8}" fill="#718096">{number * step:g} ms</text>')
    return found


def _row(row: Row, y: int, longest: float) -> list[str]:
    name = row.name if len(row.name) <= _LETTERS else f"{row.name[: _LETTERS - 1]}…"
    whole = f"{row.name} {row.note}".strip()
    found = [f"<g><title>{escape(whole)}</title>"]
    found.append(f'<text x="{8 + 14 * row.depth}" y="{y + 14}">{escape(name)}</text>')
    for bar in row.bars:
        x, width = _NAMES + _BARS * bar.at / longest, max(_BARS * bar.took / longest, 1.0)
        colour = _COLOURS.get(bar.kind, "#718096")
        found.append(
            f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="{colour}"/>'
        )
    end = max((bar.at + bar.took for bar in row.bars), default=0.0)
    took = max((bar.took for bar in row.bars), default=0.0)
    x = _NAMES + _BARS * end / longest + 4
    return [*found, f'<text x="{x:.1f}" y="{y + 14}" fill="#4a5568">{took:.0f}</text></g>']
