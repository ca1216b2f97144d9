"""The flags of `instorage-provisioner`, from the table that reads them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from provisioner.flags import Flags
from tools.man.markup import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def described(translate: Callable[[str], str]) -> Iterator[str]:
    """Yield each flag as a term, with its text and its default."""
    for known in sorted(fields(Flags), key=lambda one: str(one.metadata["name"])):
        word = str(known.metadata["word"])
        text = translate(str(known.metadata["help"]))
        default = f" ({known.default})" if word and isinstance(known.default, (int, str)) else ""
        yield f"`-{known.metadata['name']}`" + (f" *{word}*" if word else "")
        yield f": {sentence(text.rstrip('.。') + default.replace(' ()', ''))}"
