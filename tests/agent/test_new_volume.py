"""What of the array's answers speaks against a volume being new (safety.md 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.model import Usage
from nodeagent.calls.mountdevice import fresh_by_usage

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.volume_name import VolumeName
    from tests.agent.bench import Bench

GIB = 1 << 30
MIB = 1 << 20


def copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the array show one relation of a copy for each volume."""
    find = As18000.find_volume

    def with_relation(array: As18000, name: VolumeName) -> Volume | None:
        found = find(array, name)
        return found and replace(found, copy_relations=1)

    monkeypatch.setattr(As18000, "find_volume", with_relation)


def test_a_volume_that_a_localcopy_map_fills_is_never_said_to_be_new(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create("vol1")
    copied(monkeypatch)
    bench.attach("vol1").success()
    bench.mount_device("vol1").failure("Not proven new")
    assert bench.helper.last("Mount")["may_format"] is False
    assert bench.helper.last("Mount")["copied"] is True


@pytest.mark.parametrize(
    ("size", "used", "fresh"),
    [
        (GIB, 64 * MIB, True),
        (GIB, 64 * MIB + 1, False),
        (100 * GIB, GIB, True),
        (100 * GIB, GIB + 1, False),
        (GIB, None, False),
    ],
)
def test_at_most_one_percent_or_64_mib_of_a_new_thin_volume_are_used(
    size: int, used: int | None, fresh: bool
) -> None:
    usage = Usage(thin=True, used=used)
    assert fresh_by_usage(usage, size) is fresh


LARGE = 100 * GIB


def broken_off(bench: Bench, used: int) -> str:
    """A thin volume whose format was broken off here, after so many bytes were written; its UID."""
    uid = bench.create("vol1", size=LARGE)
    bench.attach("vol1").success()
    bench.helper.break_mkfs = True
    bench.mount_device("vol1").failure("mkfs")
    bench.do("used", volume="vol1", bytes=used)
    return uid


@pytest.mark.parametrize(("used", "licence"), [(2 * GIB, True), (2 * GIB + 1, False)])
def test_what_a_broken_off_format_wrote_does_not_speak_against_its_repetition(
    bench: Bench, used: int, licence: bool
) -> None:
    uid = broken_off(bench, used)
    reply = bench.mount_device("vol1")
    assert bench.helper.last("Mount")["may_format"] is licence
    assert (reply.answer["status"] == "Success") is licence
    assert (uid in bench.helper.formatted) is licence
    assert (uid in bench.helper.formatting) is not licence


def test_without_a_broken_off_format_as_much_does_speak_against_it(bench: Bench) -> None:
    uid = bench.create("vol1", size=LARGE)
    bench.attach("vol1").success()
    bench.do("used", volume="vol1", bytes=2 * GIB)
    bench.mount_device("vol1").failure("Not proven new")
    assert bench.helper.last("Mount")["may_format"] is False
    assert uid not in bench.helper.formatted


def test_a_broken_off_format_is_not_repeated_on_a_volume_that_is_copied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = broken_off(bench, GIB)
    copied(monkeypatch)
    bench.restart()
    bench.mount_device("vol1").failure("Not proven new")
    assert bench.helper.last("Mount")["may_format"] is False
    assert uid not in bench.helper.formatted
