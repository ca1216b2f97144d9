"""A growth that the array is still carrying out while another agent takes over from the one that sent it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.growth import Growth
from instorage.wire.values import Bytes
from tests.agent.bench import GIB, Bench, until

if TYPE_CHECKING:
    from tests.agent.service import Service

pytestmark = pytest.mark.slow


def growths(bench: Bench) -> int:
    return len([entry for entry in bench.do("log") if "expandvdisksize" in entry["line"]])


@pytest.mark.subprocess
def test_an_agent_that_is_killed_under_a_slow_growth_does_not_add_it_twice(service: Service) -> None:
    bench, process = service.bench, service.start()
    uid = bench.create("vol1")
    bench.use("vol1")
    bench.do("fault", command="expandvdisksize", delay=3600)
    bench.begin_expandfs("vol1", 2 * GIB)
    until(lambda: not bench.simulator._faults._faults)  # the array is at it
    assert bench.records()[uid]["growth"]["target"] == 2 * GIB
    process.kill()
    process.wait(10)
    service.start()
    said = bench.expandfs("vol1", 2 * GIB).failure("may still be under way")
    assert "its size is read again in" in said
    bench.do("clear")  # the array goes on with it
    until(lambda: bench.size(uid) == 2 * GIB)
    assert bench.expandfs("vol1", 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB
    assert (bench.size(uid), bench.helper.filesystems[uid]) == (2 * GIB, 2 * GIB)
    assert growths(bench) == 1
    assert "growth" not in bench.records()[uid]


def test_a_growth_under_way_outlives_an_attach_of_the_volume(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    bench.do("fault", command="expandvdisksize", before="connection")
    bench.expandfs("vol1", 2 * GIB).failure("may have been done or not")
    bench.do("clear")
    kept = bench.records()[uid]["growth"]
    bench.restart(lambda: bench.helper.mounts.clear())
    for host in bench.maps("vol1"):
        bench.array._cli.operate("rmvdiskhostmap", "-host", host, "vol1")
    bench.use("vol1")
    assert bench.records()[uid]["growth"] == kept
    bench.expandfs("vol1", 2 * GIB).failure("may still be under way")
    assert bench.size(uid) == GIB


def test_what_the_array_refused_is_sent_again_at_once(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    bench.do("fault", command="expandvdisksize", error="CMMVC5860E")
    bench.expandfs("vol1", 2 * GIB).failure("says it has no space")
    assert "growth" not in bench.records()[uid]
    assert bench.expandfs("vol1", 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB


def test_only_what_is_new_and_not_done_counts_as_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    growth = Growth(Bytes(2 * GIB), 990_000, 40_000)
    assert growth.left(GIB) == 30
    assert growth.left(2 * GIB) == 0
    assert Growth(Bytes(2 * GIB), 950_000, 40_000).left(GIB) == 0
    assert Growth(Bytes(2 * GIB), 9_990_000, 40_000).left(GIB) == 40, "the clock was set back"


def test_a_record_of_before_has_no_growth_and_is_read(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    path = bench.paths.state / "volumes" / uid
    assert "growth" not in json.loads(path.read_text())
    bench.restart()
    assert bench.expandfs("vol1", 2 * GIB).success().answer["volumeNewSize"] == 2 * GIB
