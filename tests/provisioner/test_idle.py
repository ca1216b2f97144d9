"""What a provisioner costs while nothing happens: performance.md, «CPU at rest»."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.provisioner.conftest import until
from tests.soak import WHOLE

if TYPE_CHECKING:
    from tests.provisioner.conftest import Program, World

MINUTES = 5 if WHOLE else 0.75
AN_HOUR = 60 / MINUTES
LEADER, WAITING = 10, 2  # seconds of CPU an hour
TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu(program: Program) -> float:
    """Seconds of CPU that a process has used, in user and system mode."""
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 120)
def test_at_rest_a_leader_only_renews_its_lease_and_one_that_waits_sleeps(served: World) -> None:
    leader = served.programs[0]
    served.bound(served.claim(served.storage_class()))
    waiting = served.start(state="second")
    waiting.says("this provisioner waits")
    until(lambda: served.do("counters")["connections"]["now"] == 0, 90, "the array's connection is closed")
    served.do("reset-counters")
    before = cpu(leader), cpu(waiting)
    time.sleep(MINUTES * 60)  # the measurement itself
    used = [(now - then) * AN_HOUR for now, then in zip((cpu(leader), cpu(waiting)), before, strict=True)]
    print(f"CPU an hour, measured over {MINUTES} min: leader {used[0]:.1f} s, waiting {used[1]:.1f} s")
    assert served.commands() == []
    # One tick more or less is much in three quarters of a minute.
    assert used[0] <= LEADER + TICK * AN_HOUR
    assert used[1] <= WAITING + TICK * AN_HOUR
