"""What the agent costs while nothing happens: performance.md, «CPU at rest» and «memory»."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, until
from tests.agent.service import Service
from tests.figures import note
from tests.resident import resident
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = float(os.environ.get("REST_SECONDS", 300 if WHOLE else 60))
LIMIT, MEMORY = 2.0, 60.0  # seconds of CPU an hour; MiB
CLOSED = 30.0  # seconds until the array's connection is
pytestmark = [
    pytest.mark.subprocess, pytest.mark.slow, pytest.mark.measured, pytest.mark.timeout(SECONDS + 120),
    pytest.mark.skipif(not WHOLE and "REST_SECONDS" not in os.environ, reason="minutes long: make soak"),
]  # fmt: skip


@pytest.fixture
def service(directory: Path, portal: Callable[[], str]) -> Iterator[Service]:
    bench = Bench(directory, {1: portal(), 2: portal()})
    made = Service(bench)
    yield made
    made.close()
    bench.close()


def test_an_agent_with_a_volume_asks_nothing_and_uses_next_to_nothing(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, process = service.bench, service.start()
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    until(lambda: bench.do("counters")["connections"]["now"] == 0, CLOSED)
    bench.reset()
    before = _cpu(process.pid)
    time.sleep(SECONDS)  # the measurement itself
    an_hour = (_cpu(process.pid) - before) * 3600 / SECONDS
    memory = resident(process.pid)
    with capsys.disabled():
        print(
            f"\nagent at rest for {SECONDS:.0f} s: {an_hour:.2f} s of CPU an hour, {memory:.1f} MiB resident"
        )
    note("rest", "agent at rest, CPU an hour", an_hour, "s", LIMIT)
    note("rest", "agent at rest, resident", memory, "MiB", MEMORY)
    counted = bench.do("counters")
    assert counted["total"] == counted["connections"]["opened"] == 0
    assert 0 < an_hour <= LIMIT
    assert memory <= MEMORY


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, to the nanosecond: the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)
