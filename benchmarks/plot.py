"""Pictures of figures as SVG: bars for what was measured once, a curve for what was at several sizes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Figure

WIDTH, ROW, NAMES = 900, 22, 420  # pixels: the picture, a bar's line, the room for names
HEIGHT, EDGE = 320, 60  # of a curve, and its margins
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
    'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
)


def bars(title: str, figures: Sequence[Figure]) -> str:
    """Return a bar for each figure; a line marks its target. One unit, or the bars mean nothing."""
    longest = max([*(f.value for f in figures), *(f.limit or 0 for f in figures), 1e-9])
    scale = (WIDTH - NAMES - 90) / longest
    lines = [HEAD.format(w=WIDTH, h=ROW * (len(figures) + 2)), _text(10, ROW - 6, title, "bold")]
    for number, figure in enumerate(figures, 1):
        top = ROW * number + 6
        long = max(figure.value * scale, 1)
        colour = "#c0392b" if figure.missed else "#2e6da4"
        lines.append(_text(10, top + 14, figure.what))
        lines.append(f'<rect x="{NAMES}" y="{top}" width="{long:.1f}" height="16" fill="{colour}"/>')
        lines.append(_text(NAMES + long + 6, top + 14, f"{figure.value:.2f} {figure.unit}"))
        if figure.limit is not None:
            at = NAMES + figure.limit * scale
            lines.append(f'<path d="M{at:.1f} {top - 2}v20" stroke="#000" stroke-dasharray="3 2"/>')
    return "\n".join([*lines, "</svg>\n"])


def curve(title: str, figures: Sequence[Figure]) -> str:
    """Return the figures over what they were measured at; from nought, so that flat looks flat."""
    points = sorted((figure.at or 0.0, figure.value) for figure in figures)
    right, top = max(at for at, _ in points) or 1.0, max(value for _, value in points) * 1.2 or 1.0
    wide, high = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE

    def place(at: float, value: float) -> tuple[float, float]:
        return EDGE + wide * at / right, HEIGHT - EDGE - high * value / top

    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    lines = [HEAD.format(w=WIDTH, h=HEIGHT), _text(10, 20, f"{title} ({figures[0].unit})", "bold")]
    lines.append(f'<path d="M{EDGE} {EDGE}V{HEIGHT - EDGE}H{WIDTH - EDGE}" fill="none" stroke="#888"/>')
    lines.append(f'<polyline points="{drawn}" fill="none" stroke="#2e6da4" stroke-width="2"/>')
    for at, value in points:
        x, y = place(at, value)
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2e6da4"/>')
        lines.append(_text(x - 8, y - 8, f"{value:.2f}") + _text(x - 8, HEIGHT - EDGE + 18, f"{at:g}"))
    return "\n".join([*lines, "</svg>\n"])


def pictures(figures: Sequence[Figure]) -> dict[str, str]:
    """Return the pictures of a run by file name: for each part and unit bars, for each curve a curve."""
    found: dict[str, str] = {}
    for part in dict.fromkeys(figure.part for figure in figures):
        mine = [figure for figure in figures if figure.part == part]
        for unit in dict.fromkeys(figure.unit for figure in mine if figure.at is None):
            plain = [figure for figure in mine if figure.unit == unit and figure.at is None]
            found[_file(part, unit)] = bars(part, plain)
        for what in dict.fromkeys(figure.what for figure in mine if figure.at is not None):
            sized = [figure for figure in mine if figure.what == what and figure.at is not None]
            if len(sized) > 1:
                found[_file(part, what)] = curve(f"{part}: {what}", sized)
    return found


def _file(part: str, what: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in f"{part} {what}")
    return "-".join(words.lower().split()) + ".svg"


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}">{escape(text)}</text>'
