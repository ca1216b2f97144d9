"""The engineers' page names a test for each situation and check, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from nodeagent.administration.doctor.examination import CHECKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/diagnosed.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]
NAMED = re.compile(r"`(tests/[\w/]+\.py)?::(\w+)`")


def test_every_test_that_is_named_is_there() -> None:
    missing, count = [], 0
    for row in ROWS:
        place = ""
        for file, name in NAMED.findall(row):
            place, count = file or place, count + 1
            if f"\ndef {name}(" not in (ROOT / place).read_text(encoding="utf-8"):
                missing.append(f"{place}::{name}")
    assert missing == []
    assert count > len(CHECKS)


def test_every_row_names_what_tries_it() -> None:
    heads = {"| fault |", "| situation", "| check |"}
    rows = [row for row in ROWS if not any(row.startswith(head) for head in heads)]
    assert [row for row in rows if not NAMED.search(row) and "`make demo-why`" not in row] == []


def test_every_check_of_doctor_has_its_row() -> None:
    told = {name for row in ROWS for name in re.findall(r"^\| `(\w+)`", row)}
    assert told == set(CHECKS)
