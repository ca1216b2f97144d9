"""Whether this host's multipath.conf hides the array's disks (manual 3.2): a blacklist that means too much.

Only what is certain is said: a `devnode` that fits names which no local disk has, as `^sda` fits sdaa.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLACES = (Path("/etc/multipath.conf"), Path("/etc/multipath/multipath.conf"), Path("/etc/multipath/conf.d"))
NAMES = ("sdaa", "sdab", "sdaz", "sdba", "sdaaa")
"""Disks of a node with many volumes; a list that hides one of them on purpose would name its WWID."""
_BLOCK = re.compile(r"^\s*(blacklist\w*)\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}", re.MULTILINE)
_DEVNODE = re.compile(r"^\s*devnode\s+\"?([^\"\n]+?)\"?\s*$", re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)[#!][^\"\n]*$", re.MULTILINE)


def remarks(places: tuple[Path, ...]) -> Iterator[str]:
    """Yield a sentence for each pattern that hides disks; a file that cannot be read says nothing."""
    return hiding((path, _text(path)) for path in _files(places))


def hiding(files: Iterable[tuple[Path | str, str]]) -> Iterator[str]:
    """Yield a sentence for each pattern that hides disks, in files (name, text)."""
    patterns: list[tuple[Path | str, str]] = []
    shown: list[str] = []
    for path, text in files:
        for block, body in _BLOCK.findall(_COMMENT.sub("", text)):
            for pattern in _DEVNODE.findall(body):
                if block == "blacklist":
                    patterns.append((path, pattern))
                elif block == "blacklist_exceptions":
                    shown.append(pattern)
    for path, pattern in patterns:
        hidden = [name for name in NAMES if fits(pattern, name) and not any(fits(x, name) for x in shown)]
        if hidden:
            yield (
                f'{path}: devnode "{pattern}" in blacklist hides {", ".join(hidden)} as well, and a disk '
                'of the array with such a name gets no multipath map: write the whole name ("^sda$"), then '
                "«multipathd reconfigure»."
            )


def _files(places: tuple[Path, ...]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.glob("*.conf")) if place.is_dir() else [place]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def fits(pattern: str, name: str) -> bool:
    """Tell whether a pattern fits; `!` before it means «not». One that is not understood hides nothing."""
    negated = pattern.startswith("!")
    try:
        return bool(re.search(pattern.removeprefix("!"), name)) is not negated
    except re.error:
        return False
