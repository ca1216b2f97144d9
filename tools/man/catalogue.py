"""The codes of failures as a page has them, from the catalogue that `instoragectl codes` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.catalogue import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def described(translate: Callable[[str], str]) -> Iterator[str]:
    """Yield each code: what it means, why it comes, what mends it, and its MESSAGE_ID in the journal."""
    for code, entry in table.CATALOGUE.items():
        yield f"`{code.value}`"
        for text in (entry.meaning, entry.cause, entry.mend):
            yield f": {_commands_bold(translate(text))}"
        yield f": MESSAGE_ID={table.message_id(code)}"


def _commands_bold(text: str) -> str:
    """Show a command, which the catalogue quotes, as pages show one."""
    return text.replace("«instorage", "`instorage").replace("»", "`") if "«instorage" in text else text
