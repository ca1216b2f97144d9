"""What the agent costs while nothing happens: performance.md, «CPU at rest» and «memory»."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import until
from tests.figures import note
from tests.process_cost import cpu, resident
from tests.soak import WHOLE

if TYPE_CHECKING:
    from tests.agent.service import Service

SECONDS = float(os.environ.get("REST_SECONDS", 300 if WHOLE else 60))
LIMIT, MEMORY = 2.0, 60.0  # seconds of CPU an hour; MiB
CLOSED = 30.0  # seconds until the array's connection is
pytestmark = [
    pytest.mark.subprocess, pytest.mark.slow, pytest.mark.measured, pytest.mark.timeout(SECONDS + 120),
    pytest.mark.skipif(not WHOLE and "REST_SECONDS" not in os.environ, reason="minutes long: make soak"),
]  # fmt: skip


def test_an_agent_with_a_volume_asks_nothing_and_uses_next_to_nothing(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, process = service.bench, service.start()
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    until(lambda: bench.do("counters")["connections"]["now"] == 0, CLOSED)
    bench.reset()
    before = cpu(process.pid)
    time.sleep(SECONDS)  # the measurement itself
    an_hour = (cpu(process.pid) - before) * 3600 / SECONDS
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
