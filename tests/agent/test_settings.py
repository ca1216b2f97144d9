"""The configuration in force, asked for by several calls while it changes: each change is said once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from nodeagent.operation.settings import Settings
from tests.configuration.conftest import SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.configuration.settings import Configuration


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "instorage.yaml"
    made.write_text(SMALL)
    made.chmod(0o600)
    return made


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    of_the_file = [one for one in caplog.messages if "instorage.yaml" in one]
    return [one.rpartition("instorage.yaml ")[2] for one in of_the_file]


def test_a_caller_that_comes_back_with_an_older_one_does_not_have_it_applied_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    applied: list[str] = []

    def changed(found: Configuration) -> None:
        applied.append(found.storage[0].password.reveal())

    settings = Settings(path, changed)
    read, at, gate = settings._file.current, threading.Event(), threading.Event()

    def slow() -> Configuration:
        found = read()
        if not at.is_set():
            at.set()
            gate.wait(0.5)  # nobody gets past this one
        return found

    monkeypatch.setattr(settings._file, "current", slow)
    first = threading.Thread(target=settings.current)
    first.start()
    assert at.wait(10)
    path.write_text(SMALL.replace("marker-8d1f", "another"))
    settings.current()
    gate.set()
    first.join()
    settings.current()
    assert applied == ["marker-8d1f", "another"]
    assert said(caplog) == ["is in force"] * 2


def test_a_broken_one_is_said_once_and_so_is_its_end(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings = Settings(path)
    settings.current()
    for text in ("a: [", SMALL):
        path.write_text(text)
        for _ in range(3):
            settings.current()
    first, trouble, end = said(caplog)
    assert first == "is in force"
    assert "not YAML" in trouble
    assert end == "can be used again"
    assert settings.remark == ""
