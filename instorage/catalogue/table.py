"""What each code of a `Fault` means, why it comes and what mends it, also as journald's catalogue.

The sentence of a fault names the thing; this says what holds of every one with that code.
`instoragectl codes` prints it, and `systemd/catalog/instorage.catalog` is made of it (`python -m
tools.catalog`), so that `journalctl -x` explains a record by its MESSAGE_ID.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from instorage.catalogue import of_arrays, of_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.wire.fault import Code

CATALOGUE = {**of_arrays.ENTRIES, **of_nodes.ENTRIES}
_SPACE = uuid.UUID("6d1f6a0e-95a4-4c0a-8f0e-2d6b9f6c1b4e")  # of our message ids; never changed


def message_id(code: Code) -> str:
    """Return journald's MESSAGE_ID of a code: 32 hexadecimal digits, the same in every version."""
    return uuid.uuid5(_SPACE, code.value).hex


def explain(code: Code) -> Iterator[str]:
    """Yield a code's entry as lines."""
    entry = CATALOGUE[code]
    yield f"{code.value}: {entry.meaning}"
    yield f"    why: {entry.cause}"
    yield f"    do: {entry.mend}"


def journald() -> str:
    """Return the text of journald's message catalogue (systemd.io/CATALOG)."""
    blocks = ["# Made by «python -m tools.catalog» from instorage/catalogue.py.\n"]
    for code, entry in CATALOGUE.items():
        blocks.append(
            f"-- {message_id(code)}\nSubject: InStorage: {entry.meaning.removesuffix('.')} ({code.value})\n"
            "Defined-By: InStorage\n\n"
            f"{entry.cause}\n\n{entry.mend}\n"
        )
    return "\n".join(blocks)
