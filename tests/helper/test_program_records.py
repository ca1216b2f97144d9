"""Each program that root code runs is in the journal, with its request, when it began and how it ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from helper import child, journal, program
from instorage.wire import journal as wire
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    monkeypatch.setattr(wire, "send", lambda message, flags=0, /, **fields: found.append(fields))
    monkeypatch.setattr(journal, "request", "4f2a4f2a4f")
    return found


def tool(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder / name
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(0o755)
    monkeypatch.setattr(program, "DIRECTORIES", (str(folder),))


def test_a_program_is_written_down_with_its_time_and_status(
    tmp_path: Path, written: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "blkid", "exit 2", monkeypatch)
    began = time.monotonic()
    program.run("blkid", deadline=began + 30, accept=(2,))
    (one,) = written
    assert (one["INSTORAGE_OP"], one["INSTORAGE_PROGRAM"]) == ("4f2a4f2a4f", "blkid")
    assert one["INSTORAGE_SAID"] == "status 2"
    assert began <= float(one["INSTORAGE_BEGAN"]) + 0.001
    assert 0 <= float(one["INSTORAGE_MS"]) <= (time.monotonic() - began) * 1000 + 1
    assert one["PRIORITY"] == "7"


def test_a_program_that_is_killed_is_written_down_too(
    tmp_path: Path, written: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "blkid", "exec sleep 60", monkeypatch)
    with pytest.raises(Fault, match="killed"):
        program.run("blkid", deadline=time.monotonic() + 0.3)
    assert [one["INSTORAGE_SAID"] for one in written] == ["killed"]
    assert not child.inside
