"""Whether this host's multipath.conf hides the array's disks (manual 3.2): a blacklist that means too much.

Only what is certain is said: a `devnode` that fits names which no local disk has, as `^sda` fits sdaa.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.administration.multipath_syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeagent.administration.multipath_syntax import Section

PLACES = (Path("/etc/multipath.conf"), Path("/etc/multipath/multipath.conf"), Path("/etc/multipath/conf.d"))
NAMES = ("sdaa", "sdab", "sdaz", "sdba", "sdaaa")
"""Disks of a node with many volumes; a list that hides one of them on purpose would name its WWID."""


def remarks(places: tuple[Path, ...]) -> Iterator[str]:
    """Yield a sentence for each pattern that hides disks; a file that cannot be read says nothing."""
    files = [(path, parse(_text(path))) for path in _files(places)]
    shown = [pattern for _, whole in files for pattern in _devnodes(whole, "blacklist_exceptions")]
    for path, whole in files:
        for pattern in _devnodes(whole, "blacklist"):
            if hidden := hides(pattern, shown, NAMES):
                yield (
                    f'{path}: devnode "{pattern}" in blacklist hides {", ".join(hidden)} as well, and a disk '
                    'of the array with such a name gets no multipath map: write the whole name ("^sda$"), '
                    "then «multipathd reconfigure»."
                )


def hides(pattern: str, shown: Iterable[str], samples: Iterable[str]) -> list[str]:
    """Return the samples that a pattern of a blacklist hides, and none of its exceptions shows again."""
    exceptions = list(shown)
    return [one for one in samples if fits(pattern, one) and not any(fits(x, one) for x in exceptions)]


def _devnodes(whole: Section, name: str) -> Iterator[str]:
    return (pattern for part in whole.named(name) for pattern in part.all("devnode"))


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
