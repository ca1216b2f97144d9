"""LUN numbers rest over a restart of the process, and a damaged file makes nobody bolder (safety.md 21)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.arrays import quarantine
from instorage.arrays.as18000.resting import RestingLuns
from instorage.arrays.model import Mapping
from instorage.arrays.quarantine import LOW, MOST, REST, UNDER_WAY, Quarantine, parse
from instorage.wire.values import Lun

if TYPE_CHECKING:
    from pathlib import Path

A, H = "storage-01", "iscsi-node1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resting-luns"


def test_a_number_rests_in_the_next_process_for_what_is_left_of_its_time(path: Path, clock: Clock) -> None:
    Quarantine(path, "boot", clock).rest(A, H, [3, 300])
    clock.now += REST - 1
    later = Quarantine(path, "boot", clock)
    assert set(later.resting(A, H)) == {3, 300}
    assert later.resting(A, "fc-node1") == {}
    assert later.resting("storage-02", H) == {}
    clock.now += 2
    assert later.resting(A, H) == {}
    assert Quarantine(path, "boot", clock).resting(A, H) == {}


def test_it_is_on_the_disk_before_the_command_that_frees_it_is_sent(path: Path, clock: Clock) -> None:
    luns = RestingLuns(Quarantine(path, "boot", clock), A)
    luns.seen((Mapping("v1", H, "0", (("0", Lun(3)),)),))
    luns.leaving("v1", H)
    clock.now += UNDER_WAY + REST - 1  # the longest command, and its rest
    assert RestingLuns(Quarantine(path, "boot", clock), A).choose(H) == 0
    assert set(Quarantine(path, "boot", clock).resting(A, H)) == {3}


def test_every_client_of_a_process_knows_what_another_has_freed(clock: Clock) -> None:
    """One of the entry as it was may still work when the configuration has changed."""
    shared = Quarantine(clock=clock)
    first, second = RestingLuns(shared, A), RestingLuns(shared, A)
    first.seen((Mapping("v1", H, "0", (("0", Lun(0)),)),))
    first.freed("v1", H)
    assert second.choose(H) == 1


def test_after_a_reboot_no_path_is_stale_and_nothing_rests(path: Path, clock: Clock) -> None:
    Quarantine(path, "before", clock).rest(A, H, [3])
    assert Quarantine(path, "after", clock).resting(A, H) == {}


def test_a_second_rest_does_not_end_the_first_earlier(clock: Clock) -> None:
    resting = Quarantine(clock=clock)
    resting.rest(A, H, [3], 500)
    resting.rest(A, H, [3], 1)
    clock.now += 400
    assert set(resting.resting(A, H)) == {3}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b'{"boot": "boot"}',
        b'{"resting": []}',
        b'{"boot": "boot", "resting": [{"array": "a", "host": "h", "number": 1}]}',
        b'{"boot": "boot", "resting": [{"array": "a", "host": "h", "number": 2048, "until": 1}]}',
        b'{"boot": "boot", "resting": [{"array": "a", "host": "h", "number": 1, "until": NaN}]}',
        b'{"boot": "boot", "resting": [{"array": "a", "host": "h", "number": 1, "until": 1e400}]}',
        b'{"boot": "boot", "resting": [' + b" " * (1 << 20) + b"]}",
    ],
)
def test_a_damaged_file_lets_every_low_number_rest_until_none_can_any_more(
    path: Path, clock: Clock, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(text)
    resting = Quarantine(path, "boot", clock)
    assert str(path) in caplog.text
    assert RestingLuns(resting, A).choose(H) == LOW
    clock.now += REST + UNDER_WAY + 1
    assert RestingLuns(resting, A).choose(H) is None
    resting.rest(A, H, [3])
    assert set(Quarantine(path, "boot", clock).resting(A, H)) == {3}, "and it is written anew"


def test_a_file_that_cannot_be_opened_is_no_missing_one(path: Path, clock: Clock) -> None:
    path.mkdir()
    assert RestingLuns(Quarantine(path, "boot", clock), A).choose(H) == LOW


def test_a_missing_file_is_a_first_start(path: Path, clock: Clock) -> None:
    assert RestingLuns(Quarantine(path, "boot", clock), A).choose(H) is None


def test_a_directory_that_cannot_be_written_is_said_and_the_number_rests_all_the_same(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    resting = Quarantine(tmp_path / "none/resting-luns", "boot", clock)
    resting.rest(A, H, [3])
    assert "cannot be written" in caplog.text
    assert set(resting.resting(A, H)) == {3}


def test_no_number_of_the_file_rests_longer_than_one_that_is_freed_now(path: Path, clock: Clock) -> None:
    row = {"array": A, "host": H, "number": 3, "until": 9e9}
    path.write_text(json.dumps({"boot": "boot", "resting": [row]}))
    assert set(Quarantine(path, "boot", clock).resting(A, H)) == {3}
    clock.now += REST + UNDER_WAY + 1
    assert Quarantine(path, "boot", Clock()).resting(A, H) != {}
    resting = Quarantine(path, "boot", Clock())
    resting.clock = clock
    assert resting.resting(A, H) == {}


def test_it_stays_small(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST", 10)
    resting = Quarantine(path, "boot", clock)
    for host in range(5):
        clock.now += 1
        resting.rest(A, f"h{host}", range(5))
    assert [len(resting.resting(A, f"h{host}")) for host in range(5)] == [0, 0, 0, 5, 5]
    assert len(json.loads(path.read_text())["resting"]) == 10
    assert MOST * 150 < 1 << 20, "as many as are remembered can be read again"


def test_what_has_rested_leaves_the_file(path: Path, clock: Clock) -> None:
    resting = Quarantine(path, "boot", clock)
    resting.rest(A, H, [3])
    clock.now += REST + 1
    resting.rest(A, "other", [4])
    assert [row["number"] for row in json.loads(path.read_text())["resting"]] == [4]


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"array": st.text(max_size=3), "host": st.text(max_size=3), "number": st.integers(0, 2047)}
        | {"until": st.floats(0, 1e9)}
    ),
    max_size=5,
)


@given(st.binary() | JSON.map(lambda found: json.dumps(found).encode()))
def test_whatever_is_in_the_file_it_is_read_or_refused(text: bytes) -> None:
    try:
        parse(text, 10.0)
    except (ValueError, RecursionError):
        return


@given(ROWS, JSON)
def test_one_strange_row_is_not_left_out_silently(rows: list[Any], strange: Any) -> None:
    good = json.dumps({"boot": "b", "resting": rows}).encode()
    boot, numbers = parse(good, 2e9)
    assert boot == "b"
    found = {(a, h, n) for (a, h), them in numbers.items() for n in them}
    assert found == {(row["array"], row["host"], row["number"]) for row in rows}
    with pytest.raises(ValueError, match="no number that rests"):
        parse(json.dumps({"boot": "b", "resting": [*rows, strange]}).encode(), 2e9)
