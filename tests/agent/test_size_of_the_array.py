"""What an attach costs this node does not depend on how much else the array has (performance.md)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.model.context import Change
from simulator.model.records import Port
from tests.agent.bench import device_target, pod_target
from tests.agent.simulated_array import GIB
from tests.figures import note

if TYPE_CHECKING:
    from simulator.model.context import Context
    from simulator.model.state import State
    from tests.agent.bench import Bench

HOSTS, VOLUMES = (1, 100, 1000), (10, 1000, 5000)
ROUNDS = 7
FLAT = 1.10
OURS = "pvc-00000000-0000-4000-8000-0000000000"


def crowd(bench: Bench, hosts: int, volumes: int) -> None:
    """Have the array hold so many host objects and volumes in all; none of the new ones is ours."""

    def filled(context: Context) -> Change:
        state: State = context.state
        first, host = next(iter(state.vdisks.values())), next(iter(state.hosts.values()))
        vdisk = replace(first, copies=tuple(replace(copy, pool=1) for copy in first.copies))
        vdisks = {
            number: replace(vdisk, id=number, name=f"other{number}", uid=f"{number:032X}", volume=number)
            for number in range(10_000, 10_000 + volumes - len(state.vdisks))
        }
        others = {
            number: replace(host, id=number, name=f"host{number}", ports=(Port("iscsi", f"iqn.x:{number}"),))
            for number in range(10_000, 10_000 + hosts - len(state.hosts))
        }
        return Change(replace(state, vdisks=state.vdisks | vdisks, hosts=state.hosts | others))

    bench.simulator.engine.change(filled)


def start(bench: Bench, name: str) -> tuple[float, list[str]]:
    """Start and end a volume; return the seconds of the start without the array's own, and its commands."""
    bench.create(name)
    bench.reset()
    began = time.monotonic()
    bench.attach(name).success()
    bench.mount_device(name).success()
    took = time.monotonic() - began
    served = bench.do("log")
    bench.call("unmount", pod_target(name)).success()
    bench.call("unmountdevice", device_target(name)).success()
    return took - sum(one["seconds"] for one in served), [one["name"] for one in served]


@pytest.mark.measured
@pytest.mark.timeout(300)
def test_a_start_costs_the_node_the_same_with_a_thousand_hosts_and_five_thousand_volumes(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The array's own seconds are taken off: they are the simulator's here, and say nothing of an array's."""
    bench.helper.capacity, bench.helper.mapped = lambda _: GIB, lambda _: True  # else it asks for all volumes
    bench.create(f"{OURS}99")  # what the others are copies of
    start(bench, f"{OURS}00")  # connected, the host object made
    least, commands = [], []
    for step, (hosts, volumes) in enumerate(zip(HOSTS, VOLUMES, strict=True), 1):
        crowd(bench, hosts, volumes)
        rounds = [start(bench, f"{OURS}{step}{number}") for number in range(ROUNDS)]
        least.append(min(took for took, _ in rounds))
        commands.append(rounds[-1][1])
        note("array size", "start of one, the array's own time off", least[-1], "s", at=volumes)
    with capsys.disabled():
        print(f"\na start with {VOLUMES} volumes: {', '.join(f'{took:.3f}' for took in least)} s")
    assert commands[0] == commands[1] == commands[2]
    note("array size", "start with 5,000 volumes over 10", least[-1] / least[0], "times", FLAT)
    assert least[-1] <= FLAT * least[0] + 0.01
