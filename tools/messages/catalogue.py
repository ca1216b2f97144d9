"""The catalogue of texts: what the sources have, what `po/` says of it, and what programs are given of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tools.messages import po
from tools.messages.extra import EXTRA
from tools.messages.modules import ROOT, modules
from tools.messages.templates import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tools.messages.po import Entry

LANGUAGE = "zh_CN"
TEMPLATE = ROOT / "po/instorage.pot"
TRANSLATION = ROOT / f"po/{LANGUAGE}.po"
PLACE = f"instorage/locale/{LANGUAGE}/LC_MESSAGES/instorage.mo"
"""Where `instorage/language.py` and gettext look for it, below site-packages."""


@functools.lru_cache(maxsize=1)
def texts() -> dict[str, tuple[str, ...]]:
    """Return every text for people with the files that it comes from, in the order of the files."""
    found: dict[str, dict[str, None]] = {}
    for path, tree in modules().items():
        for text in templates(tree):
            found.setdefault(text, {})[str(path.relative_to(ROOT))] = None
    for text in EXTRA:
        found.setdefault(text, {})["tools/messages/extra.py"] = None
    return {text: tuple(files) for text, files in found.items()}


@functools.lru_cache(maxsize=1)
def translations() -> dict[str, str]:
    """Return what `po/zh_CN.po` has."""
    return po.read(TRANSLATION.read_text(encoding="utf-8")) if TRANSLATION.exists() else {}


def entries() -> list[Entry]:
    """Return an entry for each text of the sources, translated as far as `po/` has it."""
    known = translations()
    return [po.Entry(text, files, known.get(text, "")) for text, files in texts().items()]


def write(found: Iterable[Entry]) -> None:
    """Write template and translation."""
    found = list(found)
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_text(po.written(po.Entry(one.text, one.files) for one in found), encoding="utf-8")
    TRANSLATION.write_text(po.written(found, LANGUAGE), encoding="utf-8")


def compiled(wanted: Callable[[str], bool] | None = None) -> bytes:
    """Return the `.mo`; `wanted` chooses by the file that a text comes from."""
    chosen = translations()
    if wanted is not None:
        kept = {text for text, files in texts().items() if any(wanted(file) for file in files)}
        chosen = {text: value for text, value in chosen.items() if text in kept}
    return po.compiled(chosen, LANGUAGE)
