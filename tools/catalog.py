"""`python -m tools.catalog`: write journald's message catalogue anew, when a code was added or explained."""

from __future__ import annotations

from pathlib import Path

from instorage.catalogue.table import journald

FILE = Path(__file__).resolve().parent.parent / "systemd/catalog/instorage.catalog"

if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(journald(), encoding="utf-8")
