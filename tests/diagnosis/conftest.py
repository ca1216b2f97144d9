"""The agent's bench, with a journal that can be read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from instorage.wire import journal
from nodeagent.operation.journal import Fields, Journal
from tests.agent.conftest import bench, directory, portal, silent_portal
from tests.diagnosis.inspected import Node, prepared
from tests.diagnosis.journald import Journald

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agent.bench import Bench

__all__ = ["bench", "directory", "portal", "silent_portal"]


@pytest.fixture
def journald(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    """A journal to which this process's agent writes as it does under systemd."""
    made = Journald(directory / "journal").start()
    monkeypatch.setattr(journal, "SOCKET", str(made.path))
    handler = Journal()
    handler.addFilter(Fields())
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("nodeagent", "instorage")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.INFO)
    root.addHandler(handler)
    yield made
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    made.stop()


@pytest.fixture
def node(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Node:
    bench.create("vol1")
    return prepared(bench, monkeypatch, capsys)
