"""A configuration file while somebody writes it: what is half of it never counts, though it may be valid."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from instorage.configuration import file as files
from instorage.configuration.file import ConfigurationFile
from instorage.wire.fault import Fault
from tests.configuration.conftest import SMALL, written

if TYPE_CHECKING:
    from pathlib import Path

TWO = SMALL + SMALL.partition("storage:\n")[2].replace("name: a", "name: b").replace("10.0.0.1", "10.0.0.2")
pytestmark = pytest.mark.parametrize("need_host", [True, False], ids=("agent", "provisioner"))


@pytest.fixture(autouse=True)
def rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REST_SECONDS", 0.4)
    monkeypatch.setattr(files, "LONGEST_SECONDS", 0.7)


def rested(file: Path, text: str) -> Path:
    """The file as it was written a while ago."""
    written(file, text)
    past = time.time() - 60
    os.utime(file, (past, past))
    return file


def names(held: ConfigurationFile) -> list[str]:
    return [one.name for one in held.current().storage]


def in_pieces(file: Path, text: str, at: int, pause: float = 0.1) -> None:
    with open(file, "w") as writing:
        writing.write(text[:at])
        writing.flush()
        time.sleep(pause)  # what an editor or a slow network takes
        writing.write(text[at:])


def write_until(done: threading.Event, file: Path, text: str) -> None:
    while not done.wait(0.02):
        written(file, text)


@pytest.mark.parametrize("at", [TWO.index("- name: b"), TWO.index("8d1f") + 2, len(TWO) - 3])
def test_what_a_writer_has_written_so_far_is_not_used(file: Path, need_host: bool, at: int) -> None:
    changed = TWO.replace("marker-8d1f", "changed-0000")
    held = ConfigurationFile(rested(file, TWO), need_host=need_host)
    before = held.current()
    writer = threading.Thread(target=in_pieces, args=(file, changed, at))
    writer.start()
    until = time.monotonic() + 30
    while (found := held.current()) == before:
        assert time.monotonic() < until
    writer.join()
    seen = [{one.name: one.password.reveal() for one in taken.storage} for taken in (found, held.current())]
    assert seen == [{"a": "changed-0000", "b": "changed-0000"}] * 2


def test_a_file_that_is_written_for_long_leaves_the_old_one_in_force_without_a_word(
    file: Path, need_host: bool
) -> None:
    held = ConfigurationFile(rested(file, TWO), need_host=need_host)
    held.current()
    written(file, SMALL)
    done = threading.Event()
    writer = threading.Thread(target=write_until, args=(done, file, SMALL))
    writer.start()
    try:
        began = time.monotonic()
        assert names(held) == ["a", "b"]
        assert time.monotonic() - began < 5
        began = time.monotonic()
        assert [names(held) for _ in range(5)] == [["a", "b"]] * 5
        assert time.monotonic() - began < 0.6, "each caller waits"
        assert held.trouble is None
    finally:
        done.set()
        writer.join()
    until = time.monotonic() + 30
    while names(held) != ["a"]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_at_the_start_such_a_file_is_waited_for_or_refused_with_the_reason(
    file: Path, need_host: bool
) -> None:
    threading.Thread(target=in_pieces, args=(file, TWO, TWO.index("- name: b"))).start()
    held = ConfigurationFile(file, need_host=need_host)
    assert names(held) == ["a", "b"]
    written(file, TWO)
    done = threading.Event()
    writer = threading.Thread(target=write_until, args=(done, file, TWO))
    writer.start()
    try:
        with pytest.raises(Fault, match="is being written"):
            ConfigurationFile(file, need_host=need_host).current()
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("away", ["", "a: [", None])
def test_a_file_that_is_broken_or_away_for_a_moment_is_no_trouble(
    file: Path, need_host: bool, away: str | None
) -> None:
    held = ConfigurationFile(rested(file, SMALL), need_host=need_host)
    held.current()
    file.unlink() if away is None else written(file, away)
    mender = threading.Timer(0.15, written, (file, TWO))
    mender.start()
    assert names(held) in (["a"], ["a", "b"])
    assert held.trouble is None
    mender.join()
    assert names(held) == ["a", "b"]


def test_a_file_from_the_future_is_used(file: Path, need_host: bool) -> None:
    held = ConfigurationFile(rested(file, SMALL), need_host=need_host)
    held.current()
    written(file, TWO)
    ahead = time.time() + 3600
    os.utime(file, (ahead, ahead))
    assert names(held) == ["a", "b"]


def test_a_file_that_is_touched_and_says_the_same_costs_no_wait(file: Path, need_host: bool) -> None:
    held = ConfigurationFile(rested(file, SMALL), need_host=need_host)
    held.current()
    written(file, SMALL)
    began = time.monotonic()
    held.current()
    assert time.monotonic() - began < 0.3
