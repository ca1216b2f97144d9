"""What of the array's answers speaks against a volume being new (safety.md 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.model import Usage
from nodeagent.calls.mountdevice import fresh_by_usage

if TYPE_CHECKING:
    from tests.agent.bench import Bench

GIB = 1 << 30
MIB = 1 << 20


def test_a_volume_that_a_localcopy_map_fills_is_never_said_to_be_new(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create("vol1")
    find = As18000.find_volume
    monkeypatch.setattr(
        As18000, "find_volume", lambda array, name: replace(find(array, name), copy_relations=1)
    )
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
