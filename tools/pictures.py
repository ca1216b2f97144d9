"""`python -m tools.pictures [--check]`: draw docs/pictures/*.svg from the texts beside them.

A text has one thing a line, sizes in pixels; what follows «|» is shown:

    title TEXT
    size WIDTH HEIGHT
    group X Y WIDTH HEIGHT | what the things in it have in common
    box NAME X Y WIDTH HEIGHT KIND | first line, bold | further lines
    arrow FROM TO | what passes, and how
    text X Y | words

An arrow is vertical or horizontal where its boxes stand above or beside each other. `--check` writes nothing,
and its exit status is 1 when a picture is not what its text says.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs/pictures"
LINE: Final = 17  # pixels from one line of text to the next
KINDS: Final = {
    "root": ("#fdecea", "#b3261e"), "plain": ("#e8f1fb", "#2e6da4"), "array": ("#edf7ed", "#2e7d32"),
    "cluster": ("#f3eefb", "#6a3fb5"), "state": ("#fff8e1", "#9a6b00"),
}  # fmt: skip
HEAD: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
    'font-family="sans-serif" font-size="13">\n<title>{title}</title>\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>\n'
    '<rect width="100%" height="100%" fill="#ffffff"/>'
)


class Mistake(ValueError):
    """A line that is none of a picture; the message names it."""


@dataclass(frozen=True)
class Box:
    """Where a box stands."""

    x: int
    y: int
    width: int
    height: int

    def shared(self, other: Box) -> tuple[range, range]:
        """Return where both stand above each other, and where beside each other; empty where they do not."""
        across = range(max(self.x, other.x), min(self.x + self.width, other.x + other.width))
        down = range(max(self.y, other.y), min(self.y + self.height, other.y + other.height))
        return across, down

    @property
    def middle(self) -> tuple[int, int]:
        """Its centre."""
        return self.x + self.width // 2, self.y + self.height // 2


def drawn(text: str) -> str:
    """Return the SVG file of a picture's text. `Mistake` names the line that cannot be meant."""
    title, size, parts, boxes = "", (0, 0), list[str](), dict[str, Box]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, *shown = (part.strip() for part in line.split(" | "))
        kind, _, rest = words.partition(" ")
        try:
            if kind == "title":
                title = rest
            elif kind == "size":
                size = _numbers(rest, 2)[0], _numbers(rest, 2)[1]
            elif kind == "box":
                parts += _box(rest, shown, boxes)
            else:
                parts += _PARTS[kind](rest, shown, boxes)
        except (KeyError, ValueError) as error:
            raise Mistake(f"line {number}, «{line}»: {error}") from error
    if not title or not all(size):
        raise Mistake("a picture needs a title and a size")
    head = HEAD.format(w=size[0], h=size[1], title=escape(title))
    return "\n".join([head, *parts, "</svg>", ""])


def _numbers(text: str, count: int) -> list[int]:
    found = [int(word) for word in text.split()]
    if len(found) != count:
        raise ValueError(f"{count} numbers are wanted")
    return found


def _box(rest: str, shown: list[str], boxes: dict[str, Box]) -> Iterator[str]:
    name, *places, kind = rest.split()
    box = boxes[name] = Box(*_numbers(" ".join(places), 4))
    fill, edge = KINDS[kind]
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
    )
    middle, top = box.middle[0], box.y + (box.height - LINE * len(shown)) // 2 + 13
    for number, line in enumerate(shown):
        weight = ' font-weight="bold"' if number == 0 else ""
        yield _words(middle, top + LINE * number, line, f' text-anchor="middle"{weight}')


def _group(rest: str, shown: list[str], _: dict[str, Box]) -> Iterator[str]:
    x, y, width, height = _numbers(rest, 4)
    yield (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" fill="none" stroke="#888" '
        'stroke-dasharray="5 4"/>'
    )
    yield _words(x + 12, y + 19, shown[0], ' fill="#666"')


def _arrow(rest: str, shown: list[str], boxes: dict[str, Box]) -> Iterator[str]:
    one, other = (boxes[name] for name in rest.split())
    (x1, y1), (x2, y2) = _ends(one, other)
    yield f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#444" fill="none" marker-end="url(#tip)"/>'
    upright = x1 == x2
    x, y = (x1 + x2) // 2, (y1 + y2) // 2
    top = y + 4 - (LINE * (len(shown) - 1)) // 2 if upright else y - 7 - LINE * (len(shown) - 1)
    for number, line in enumerate(shown):
        anchor = "" if upright else ' text-anchor="middle"'
        yield _words(x + 8 if upright else x, top + LINE * number, line, f'{anchor} font-size="12"')


def _ends(one: Box, other: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    across, down = one.shared(other)
    if across:
        x = across[len(across) // 2]
        below = other.y > one.y
        return (x, one.y + one.height * below), (x, other.y + other.height * (not below))
    right = other.x > one.x
    y1, y2 = (down[len(down) // 2],) * 2 if down else (one.middle[1], other.middle[1])
    return (one.x + one.width * right, y1), (other.x + other.width * (not right), y2)


def _text(rest: str, shown: list[str], _: dict[str, Box]) -> Iterator[str]:
    x, y = _numbers(rest, 2)
    for number, line in enumerate(shown):
        yield _words(x, y + LINE * number, line)


def _words(x: int, y: int, text: str, how: str = "") -> str:
    return f'<text x="{x}" y="{y}"{how}>{escape(text)}</text>'


_PARTS: Final = {"group": _group, "arrow": _arrow, "text": _text}


def outdated(folder: Path = FOLDER) -> dict[Path, str]:
    """Return the pictures that are not what their texts say, and what they should be."""
    wanted = {}
    for path in sorted(folder.glob("*.txt")):
        try:
            wanted[path.with_suffix(".svg")] = drawn(path.read_text(encoding="utf-8"))
        except Mistake as mistake:
            raise Mistake(f"{path.name}: {mistake}") from mistake
    return {
        path: text
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> int:
    """Draw anew what is outdated, or with `--check` name it."""
    parser = argparse.ArgumentParser(description="Draw docs/pictures from their texts.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when one is outdated")
    check = parser.parse_args().check
    stale = outdated()
    for path, text in stale.items():
        print(path.name)
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
