"""What is said of a code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """Sentences: what it means, why it comes, what mends it."""

    meaning: str
    cause: str
    mend: str
