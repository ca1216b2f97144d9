"""How much is run: a choice for every day, or everything (`make soak`), which is noted in docs/soak.md."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
WHOLE = bool(os.environ.get("SOAK"))
UNSEEN = bool(os.environ.get("UNSEEN"))
IN_SOAK = pytest.mark.skipif(not WHOLE, reason="in make soak; every day another kind, or natively")
NOT_SEEN = pytest.mark.skipif(not UNSEEN, reason="not yet seen in the lab: UNSEEN=1")
# DAY=2026-12-01 tries what another day will run.
_TODAY = os.environ.get("DAY") or f"{datetime.datetime.now(datetime.UTC).date()}"
_DAY = datetime.date.fromisoformat(_TODAY).toordinal()
_HEAD = "|---|---|---|---|"  # of the first table


def in_turn(number: int, days: int) -> pytest.MarkDecorator:
    """Run a test on one of so many days, another one on the others; each in `make soak`."""
    reason = "in turn with another, whose day it is"
    return pytest.mark.skipif(not WHOLE and _DAY % days != number, reason=reason)


def of_today(kinds: Sequence[T], shares: int) -> list[T]:
    """Return today's share of what is run in turn, one of so many days; all of it in `make soak`."""
    if WHOLE:
        return list(kinds)
    return list(kinds[_DAY % shares :: shares])


def write_down(what: str, counts: dict[str, int], seconds: float) -> None:
    """Add a line of what was run, on which commit, and what came out."""
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    write_figures(what, f"{said}, {seconds:.0f} s")


def write_figures(what: str, said: str) -> None:
    """Add a line of what was run, on which commit, and what was measured."""
    argv = ["git", "describe", "--always", "--exclude=*"]
    commit = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    file = ROOT / "docs/soak.md"
    before, head, after = file.read_text(encoding="utf-8").partition(_HEAD)
    table, gap, rest = after.partition("\n\n")
    line = f"| {now} | {commit} | {what} | {said} |"
    file.write_text(f"{before}{head}{table}\n{line}{gap}{rest}", encoding="utf-8")
