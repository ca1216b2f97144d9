"""What journald is sent: its native protocol, which no value can break and no silence of journald hold up."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

from instorage.wire import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.settimeout(5)
        monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "socket"))
        yield listening


def parsed(record: bytes) -> dict[str, str]:
    """The fields of a record in which each value stands with its length."""
    found = {}
    while record:
        name, _, rest = record.partition(b"\n")
        (length,) = struct.unpack_from("<Q", rest)
        value, end, record = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
        assert end == b"\n"
        found[name.decode()] = value.decode()
    return found


def test_a_record_has_its_message_and_its_fields(journald: socket.socket) -> None:
    journal.send("volume «a» is attached", PRIORITY="6", INSTORAGE_OP="4f2a")
    assert parsed(journald.recv(4096)) == {
        "MESSAGE": "volume «a» is attached",
        "PRIORITY": "6",
        "INSTORAGE_OP": "4f2a",
    }


def test_a_line_break_in_a_value_makes_no_field(journald: socket.socket) -> None:
    journal.send("attached\nPRIORITY=0", INSTORAGE_VOLUME="a\n_UID=0\n")
    assert parsed(journald.recv(4096)) == {
        "MESSAGE": "attached\nPRIORITY=0",
        "INSTORAGE_VOLUME": "a\n_UID=0\n",
    }


def test_what_is_no_text_is_sent_all_the_same(journald: socket.socket) -> None:
    journal.send("a file \udcff")
    assert parsed(journald.recv(4096)) == {"MESSAGE": "a file ?"}


def test_a_page_of_traceback_is_cut_off_and_not_lost(journald: socket.socket) -> None:
    journald.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    journal.send("\u4e2d" * 1_000_000)
    (message,) = parsed(journald.recv(1 << 20)).values()
    assert message == "\u4e2d" * 48_000


def test_a_host_without_journald_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "nobody"))
    journal.send("said to nobody")


def test_a_warning_does_not_wait_for_a_journald_that_takes_nothing(journald: socket.socket) -> None:
    begun = time.monotonic()
    for _ in range(5000):  # more than its queue holds
        journal.send("too many", journal.NOW)
    assert time.monotonic() - begun < 4
    assert parsed(journald.recv(4096)) == {"MESSAGE": "too many"}


@pytest.mark.slow
def test_a_journald_that_takes_nothing_holds_a_record_up_for_seconds_not_for_ever(
    journald: socket.socket,
) -> None:
    for _ in range(5000):
        journal.send("too many", journal.NOW)
    begun = time.monotonic()
    journal.send("one more")
    assert 4 < time.monotonic() - begun < 10
