"""An hour of a hundred volumes on two arrays that are gone, one refusing and one swallowing every packet.

Pods end and start, kubelet and kube-controller-manager try again as they do, reconciliation tries, the status
is looked at. `DEAD_SECONDS` (an hour in `make soak`): a shorter run makes every wait shorter alike.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests import soak
from tests.agent.bench import GIB, Bench, device_target, pod_target, until
from tests.agent.conftest import loopback
from tests.agent.dead_arrays import DeadArrays
from tests.agent.front import Portals
from tests.agent.kubelet import STUB
from tests.agent.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600.0
DEAD_SECONDS = float(os.environ.get("DEAD_SECONDS", HOUR if soak.WHOLE else 12))
PACE = min(1.0, DEAD_SECONDS / 1200)
EACH = 50 if PACE > 0.5 else 10  # volumes in use on each array
CONVERGED = 300.0  # seconds: kubelet's and reconciliation's longest pauses are 122 and 120, and then the work
MEMORY, GROWTH = 80.0, 8.0  # MiB
THREADS, DESCRIPTORS = 300, 250
LINES, ATTEMPTS = 20, 120  # a minute, from the tenth on
PEAK = 150  # lines in one minute: what is said once in ten of them may come together
pytestmark = [
    pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(60 + 3 * DEAD_SECONDS + 2 * CONVERGED),
]  # fmt: skip


@pytest.fixture
def dead(directory: Path) -> Iterator[DeadArrays]:
    subprocess.run(["make", "-s", f"{STUB.relative_to(soak.ROOT)}"], cwd=soak.ROOT, check=True)
    portals = Portals(loopback(), loopback())
    made = DeadArrays(Bench(directory, portals.named), PACE)
    yield made
    made.close()
    portals.stop()


class Pods:
    """The pods of the node by what becomes of them: a fifth ends, starts again, grows; the rest stays."""

    def __init__(self, dead: DeadArrays) -> None:
        kinds = ("ending", "ending", "returning", "growing", "staying")
        names = [f"{kinds[n % 5]}-{n:03d}-{side}" for n in range(EACH) for side in "ab"]
        self.dead, self.used = dead, names
        self.starting = [f"starting-{n:03d}-{side}" for n in range(EACH // 5) for side in "ab"]

    def begin(self) -> None:
        self.dead.create(self.used + self.starting)
        self.dead.use(self.used)

    def move(self) -> None:
        """Begin what kubelet does not give up until the arrays are back."""
        kubelet, text = self.dead.kubelet, self.dead.text
        for name in self.used + self.starting:
            match name.partition("-")[0]:
                case "ending":
                    kubelet.begin(kubelet.lose_pod, name)
                case "returning":
                    kubelet.begin(kubelet.restart_pod, name, text(name))
                case "growing":
                    kubelet.begin(kubelet.grow, name, text(name), 2 * GIB)
                case "starting":
                    kubelet.begin(kubelet.start_pod, name, text(name))

    def settled(self) -> bool:
        gone = [name for name in self.used if name.startswith("ending")]
        records = self.dead.bench.records()
        return not self.dead.kubelet.busy() and not any(
            self.dead.uids[name] in records or self.dead.maps(name) for name in gone
        )

    def check(self) -> None:
        """Nothing of a volume was lost, and root code was asked for nothing twice."""
        dead, helper = self.dead, self.dead.bench.helper
        for name in self.used + self.starting:
            kind, uid = name.partition("-")[0], dead.uids[name]
            here = not name.startswith("ending")
            mounts = {device_target(name), pod_target(name)} if here else set()
            assert set(helper.on(uid)) == mounts, name
            assert (uid in helper.devices, len(dead.maps(name))) == (here, here), name
            asked = [verb for verb, given in helper.calls if given.get("uid") == uid]
            twice = kind == "returning"
            assert asked.count("Attach") <= 1 + twice, (name, asked)
            assert asked.count("Mount") <= 1 + twice, (name, asked)
            assert asked.count("Detach") == (kind == "ending") or (twice and asked.count("Detach") == 1), name
            if kind == "growing":
                assert dead.arrays[dead.storage(name)].size(uid) == 2 * GIB
                assert asked.count("GrowFilesystem") == 1


def test_an_hour_of_dead_arrays_costs_a_bounded_sum_and_ends_with_everything_in_order(
    dead: DeadArrays,
) -> None:
    process = dead.service.start(
        rest=max(30.0 * PACE, 3.0), WATCHDOG_USEC=str(int(90e6 * PACE)), MALLOC_ARENA_MAX="2"
    )
    watch = Watch(dead.service, process.pid, minute=60 * PACE)
    watch.hear()
    pods = Pods(dead)
    pods.begin()
    watch.start()
    dead.die()
    pods.move()
    time.sleep(DEAD_SECONDS)  # the measurement itself
    found = watch.stop()
    print(found)
    dead.come_back()
    back = time.monotonic()
    until(pods.settled, CONVERGED * PACE + 20)
    took = time.monotonic() - back
    failed = ", ".join(f"{count} {call}" for call, count in sorted(dead.kubelet.failures.items()))
    said = f"{found}; failed {failed}; all in order {took:.0f} s after the arrays were back"
    print(said)
    pods.check()
    start, tenth, end = found.memory
    assert start < MEMORY
    assert end < tenth + GROWTH < MEMORY + GROWTH
    assert found.threads < THREADS
    assert found.descriptors < DESCRIPTORS
    assert max(found.lines[10:]) < PEAK
    assert sum(found.lines[10:]) < LINES * len(found.lines[10:])
    assert max(found.attempts[10:]) < ATTEMPTS
    assert found.hunger < 90 * PACE + 15
    assert "Traceback" not in dead.service.log()
    if soak.WHOLE:
        what = (
            f"{__name__.replace('.', '/')}.py: {len(pods.used)} volumes, {DEAD_SECONDS / 60:.0f} minutes dead"
        )
        soak.write_figures(what, said)
