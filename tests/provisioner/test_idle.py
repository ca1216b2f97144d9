"""What a provisioner costs while nothing happens: performance.md, «CPU at rest»."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from provisioner.lease import LEASE_SECONDS, RENEW_SECONDS
from tests.figures import note
from tests.process_cost import cpu, resident, wakings
from tests.provisioner.conftest import asked
from tests.provisioner.program import ROOT, until
from tests.soak import WHOLE

if TYPE_CHECKING:
    from tests.provisioner.program import Program
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

WINDOWS, WINDOW = 20 if WHOLE else 4, 15.0  # seconds: one that waits looks at the lease once in each
SECONDS = WINDOWS * WINDOW
LEADER, WAITING = 10, 2  # seconds of CPU an hour
# Times what a bare client costs: where a machine takes what sleeps out of memory, waking up is most of it. On
# one that does not, a leader's renewal costs 9 bare ones, and both a tenth of what an hour may cost; with work
# beside, 5 were seen, of 4.7 ms each. What does not depend on the machine is how often it wakes at all.
SLOW = 9
WAKINGS = {"update": 25, "get": 12}  # for each request of its own; seen: 18 and 6 to 8
MEMORY = 90.0  # MiB


@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.timeout(SECONDS + 150)
def test_at_rest_a_leader_only_renews_its_lease_and_one_that_waits_looks_when_it_runs_out(
    served: World, plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    leader = served.programs[0]
    served.bound(served.claim(served.storage_class()))
    waiting = served.start(state="second")
    waiting.says("this provisioner waits")
    until(lambda: served.do("counters")["connections"]["now"] == 0, 90, "the array's connection is closed")
    served.do("reset-counters")
    before = len(asked(plane))
    with _bare_client(plane) as bare:
        slept = wakings(leader.pid), wakings(waiting.pid)
        used = list(zip(*(_window(leader, waiting) for _ in range(WINDOWS)), strict=True))
        woke = {"update": wakings(leader.pid) - slept[0], "get": wakings(waiting.pid) - slept[1]}
        wakening = float(bare.communicate(timeout=60)[0])
    count = Counter((event["verb"], event["objectRef"]["resource"]) for event in asked(plane)[before:])
    say = [f"\nat rest for {SECONDS:.0f} s: {dict(count)}; waking up costs {1000 * wakening:.2f} ms here"]
    costs, limits = {}, {}
    for who, verb, seconds in (("leader", "update", used[0]), ("waiting", "get", used[1])):
        # The median: what a busy machine takes from a process in one window is counted as the process's own.
        usual, machine = statistics.median(seconds), wakening * count[verb, "leases"] * 3600 / SECONDS
        say += [f"{who}: {usual:.2f} s of CPU an hour, a bare client {machine:.2f}; {seconds}"]
        program, most = (leader, LEADER) if who == "leader" else (waiting, WAITING)
        costs[who], limits[who] = usual, max(most, SLOW * machine)
        note("rest", f"provisioner, {who}, at rest, CPU an hour", usual, "s", limits[who])
        note("rest", f"provisioner, {who}, at rest, resident", resident(program.pid), "MiB", MEMORY)
    with capsys.disabled():
        print("\n".join([*say, f"woken up for its requests: {woke}"]))
    assert served.commands() == []
    assert set(count) == {("update", "leases"), ("get", "leases")}
    assert count["update", "leases"] <= SECONDS / RENEW_SECONDS + 1
    assert count["get", "leases"] <= SECONDS / LEASE_SECONDS + 1
    for verb, times in woke.items():
        assert 0 < times <= WAKINGS[verb] * count[verb, "leases"], verb
    for who, spent in costs.items():
        assert 0 < spent <= limits[who]


def _window(*programs: Program) -> list[float]:
    """Return the seconds of CPU an hour that each uses now."""
    before = [cpu(program.pid) for program in programs]
    time.sleep(WINDOW)  # the measurement itself
    return [
        round((cpu(program.pid) - then) * 3600 / WINDOW, 2)
        for program, then in zip(programs, before, strict=True)
    ]


def _bare_client(plane: ControlPlane) -> subprocess.Popen[str]:
    """Start tests/provisioner/bare_client.py, which ends with the windows and prints its one figure."""
    rest = LEASE_SECONDS - 1.0  # about as long as one that waits
    argv = [sys.executable, "-m", "tests.provisioner.bare_client", str(plane.port), str(plane.pki)]
    argv += [str(rest), str(int(SECONDS / rest))]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)
