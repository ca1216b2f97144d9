"""What a provisioner costs while nothing happens: performance.md, «CPU at rest»."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.provisioner.conftest import until
from tests.soak import WHOLE

if TYPE_CHECKING:
    from tests.provisioner.conftest import Program, World

WINDOWS, WINDOW = 20 if WHOLE else 5, 15.0  # seconds: one that waits looks at the lease once in each
AN_HOUR = 3600 / WINDOW
# Seconds of CPU an hour. Every day a lab runs beside it: 8.8 and 4.8 were seen there.
LEADER, WAITING = (10, 2) if WHOLE else (20, 6)


def cpu(program: Program) -> float:
    """Seconds of CPU that a process has used, to the nanosecond: the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime((~program.pid << 3) | 2)


@pytest.mark.slow
@pytest.mark.timeout(WINDOWS * WINDOW + 150)
def test_at_rest_a_leader_only_renews_its_lease_and_one_that_waits_sleeps(served: World) -> None:
    leader = served.programs[0]
    served.bound(served.claim(served.storage_class()))
    waiting = served.start(state="second")
    waiting.says("this provisioner waits")
    until(lambda: served.do("counters")["connections"]["now"] == 0, 90, "the array's connection is closed")
    served.do("reset-counters")
    used = list(zip(*(_window(leader, waiting) for _ in range(WINDOWS)), strict=True))
    assert served.commands() == []
    for who, seconds, limit in (("leader", used[0], LEADER), ("waiting", used[1], WAITING)):
        # The median: what a busy machine takes from a process in one window is counted as the process's own.
        usual = statistics.median(seconds)
        print(f"{who}: CPU an hour {usual:.2f} s, by window {[f'{one:.2f}' for one in seconds]}")
        assert 0 < usual <= limit


def _window(*programs: Program) -> list[float]:
    """Return the seconds of CPU an hour that each uses now."""
    before = [cpu(program) for program in programs]
    time.sleep(WINDOW)  # the measurement itself
    return [(cpu(program) - then) * AN_HOUR for program, then in zip(programs, before, strict=True)]
