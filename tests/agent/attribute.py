"""An attribute in a bench's sysfs: the kernel shows each whole, and never empty while it changes."""

from __future__ import annotations

import tempfile
from pathlib import Path


def show(at: Path, value: str) -> None:
    """Have the attribute hold this from now on; who reads it gets all of the old or all of the new."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", delete=False) as fresh:  # no directory lists it
        fresh.write(value)
    Path(fresh.name).rename(at)
