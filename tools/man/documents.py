"""Tables of docs/ as a page has them: the first cell of a row is the term, the last one what it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.man.markup import sentence, table

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs"


def rows(document: str, number: int) -> list[list[str]]:
    """Return a document's table of that number, from 1 on, the head first; ValueError: no such."""
    tables: list[list[str]] = [[]]
    for line in (FOLDER / document).read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    if not 1 <= number <= len(tables) or not tables[number - 1]:
        raise ValueError(f"docs/{document} has no table {number}: see the page that asks for it.")
    return table(tables[number - 1])


def described(document: str, number: int) -> Iterator[str]:
    """Yield a table's rows as terms; what the cells between say comes last, with the head's words."""
    head, *found = rows(document, number)
    for first, *between, last in found:
        yield first
        yield f": {sentence(last)}"
        for name, cell in zip(head[1:-1], between, strict=True):
            if cell:
                yield f": {sentence(f'{name}: {cell}' if name.isascii() else f'{name}：{cell}')}"
