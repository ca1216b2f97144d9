"""What somebody at a terminal sees while a program waits: one line, what, how far, how long; it goes away."""

from __future__ import annotations

import os
import re
import select
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nodeagent.diagnosis import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE = re.compile(r"\r\x1b\[K([^\r\x1b]+)")
GONE = "\r\x1b[K"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Have a terminal at standard error; return what reads from it until a text is there."""
    ours, theirs = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(waiting, "sys", SimpleNamespace(stderr=terminal))  # pytest keeps its own

        def until(part: str) -> str:
            text, deadline = "", time.monotonic() + 30
            while part not in text:
                ready, _, _ = select.select([ours], [], [], max(deadline - time.monotonic(), 0))
                assert ready, f"{part!r} does not come: {text!r}"
                text += os.read(ours, 65536).decode()
            return text

        yield until
    os.close(ours)


def test_a_terminal_shows_what_is_waited_for_how_far_and_how_long(seen: Callable[[str], str]) -> None:
    with waiting.waited("asking array storage-01", 2, 3):
        said = seen(" 1 s")
    shown = LINE.findall(said)
    assert set(shown) <= {f"asking array storage-01 (2 of 3), {seconds} s" for seconds in (0, 1)}
    assert seen(GONE).endswith(GONE), "the line is taken away"


def test_what_is_one_alone_and_over_at_once_shows_no_line(seen: Callable[[str], str]) -> None:
    with waiting.waited("asking Kubernetes"):
        pass
    with waiting.waited("reading the journal"):
        said = seen("s")
    assert LINE.findall(said)[0].startswith("reading the journal, ")
    assert "Kubernetes" not in said


def test_what_is_no_terminal_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    with waiting.waited("asking Kubernetes"):
        assert set(threading.enumerate()) == before, "nobody is there who could write"
    assert capsys.readouterr() == ("", "")


def test_a_dumb_terminal_gets_nothing(seen: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    with waiting.waited("asking Kubernetes"):
        assert set(threading.enumerate()) > before, "it is a terminal"
    monkeypatch.setenv("TERM", "dumb")
    with waiting.waited("asking Kubernetes"):
        assert set(threading.enumerate()) == before
