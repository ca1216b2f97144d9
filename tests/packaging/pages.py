"""The pages for administrators, and the blocks of commands in them.

A block is a fence «```sh NAME»; readers do not see the name. It is the same in each language, and blocks of
one name are the same on every page. Words in capitals are the reader's to replace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ENGLISH, CHINESE = ROOT / "docs/install.md", ROOT / "docs/install.zh.md"
TAKE_OVER, TAKE_OVER_CHINESE = ROOT / "docs/take-over.md", ROOT / "docs/take-over.zh.md"
ARCHIVES, CHECKOUTS = ROOT / "packaging/README.md", ROOT / "README.md"
CHECKOUTS_CHINESE = ROOT / "README.zh.md"
PAGES: Final = (ENGLISH, CHINESE, TAKE_OVER, TAKE_OVER_CHINESE, ARCHIVES, CHECKOUTS, CHECKOUTS_CHINESE)
FENCE: Final = re.compile(r"^```sh ([a-z-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REMARK: Final = re.compile(r" +#.*$", re.MULTILINE)


def blocks(page: Path) -> dict[str, str]:
    """The blocks of a page in their order, without remarks."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    assert len({name for name, _ in found}) == len(found), f"{page} has two blocks of one name"
    return {name: REMARK.sub("", text) for name, text in found}


def block(name: str, **words: str) -> str:
    """What a reader types of a block, with his own `words` in place of the page's."""
    (text,) = {found[name] for page in PAGES if name in (found := blocks(page))}
    for word, own in words.items():
        assert word in text, f"{name} has no {word} to replace"
        text = text.replace(word, own)
    return text
