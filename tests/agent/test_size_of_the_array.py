"""What an attach costs this node does not depend on how much else the array has (performance.md)."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Self

import pytest

from simulator.array import POOLS, pools
from simulator.model.records import Copy, Host, Port, Vdisk
from simulator.model.state import State
from simulator.model.store import Store
from tests.agent.array_process import ArrayProcess
from tests.agent.bench import Bench, device_target, pod_target
from tests.agent.simulated_array import GIB
from tests.figures import note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

HOSTS, VOLUMES = (1, 100, 1000), (10, 1000, 5000)
ROUNDS = 7
FLAT = 1.10
OURS = "pvc-00000000-0000-4000-8000-0000000000"


def crowd(directory: Path, hosts: int, volumes: int) -> None:
    """Leave a state for an array that holds so many host objects and volumes of others."""
    copies = (Copy(0, pool=1, rsize=0, autoexpand=True),)
    numbers = range(10_000, 10_000 + volumes)
    vdisks = {n: Vdisk(n, f"other{n}", GIB, 0, f"{n:032X}", copies, volume=n, access=(0,)) for n in numbers}
    others = {
        n: Host(n, f"host{n}", (Port("iscsi", f"iqn.x:{n}"),)) for n in range(10_000, 10_000 + hosts - 1)
    }
    directory.mkdir(parents=True)
    state = State(pools=pools(POOLS), vdisks=vdisks, hosts=others)
    Store(directory, state).save(state)


def node(directory: Path, portals: dict[int, str], hosts: int, volumes: int) -> Bench:
    """Start a node with such an array, a process of its own: its work is not to be the node's."""
    crowd(directory / "array", hosts, volumes)
    made = Bench(directory, portals, array_kind=ArrayProcess)
    made.helper.capacity, made.helper.mapped = lambda _: GIB, lambda _: True  # else it asks for all volumes
    made.start()
    return made


class Calls:
    """Counts what threads call that begin from now on: the work itself, whatever the machine makes of it.

    (Seconds of CPU are a third more after a wait for a large array, for the same calls: cold caches.)
    """

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Self:
        threading.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        threading.setprofile(None)

    def _count(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.number += event in ("call", "c_call")


def start(bench: Bench, name: str, calls: Calls) -> tuple[int, list[str]]:
    """Start and end a volume; return what was called for the start, and the array's commands."""
    bench.create(name)
    bench.reset()
    began = calls.number
    bench.attach(name).success()
    bench.mount_device(name).success()
    number = calls.number - began
    commands = bench.commands()
    bench.call("unmount", pod_target(name)).success()
    bench.call("unmountdevice", device_target(name)).success()
    return number, commands


@pytest.mark.subprocess
@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.timeout(300)
def test_a_start_costs_the_node_the_same_with_a_thousand_hosts_and_five_thousand_volumes(
    directory: Path, portal: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the array takes is not looked at: it is the simulator's here, and says nothing of an array."""
    with ExitStack() as kept:
        calls, nodes = kept.enter_context(Calls()), []
        for hosts, volumes in zip(HOSTS, VOLUMES, strict=True):
            made = node(directory / str(volumes), {1: portal(), 2: portal()}, hosts, volumes)
            nodes.append(kept.enter_context(closing(made)))
            start(made, f"{OURS}00", calls)  # connected, the host object made
        rounds = [[start(one, f"{OURS}{number:02}", calls) for one in nodes] for number in range(1, ROUNDS)]
    least = [min(number for number, _ in rows) for rows in zip(*rounds, strict=True)]
    commands = [names for _, names in rounds[-1]]
    with capsys.disabled():
        print(f"\na start with {VOLUMES} volumes: {least} calls; commands {commands[0]}")
    for volumes, number in zip(VOLUMES, least, strict=True):
        note("array size", "start of one, calls on the node", number, "", at=volumes)
    assert commands[0] == commands[1] == commands[2]
    note("array size", "start with 5,000 volumes over 10", least[-1] / least[0], "times", FLAT)
    assert 0 < least[-1] <= FLAT * least[0]
