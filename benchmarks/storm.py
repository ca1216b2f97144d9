"""All nodes of a cluster boot together on an array of 32 SSH sessions, which fails over meanwhile.

Then an hour later: pods come and go. Real clients, real SSH, no device: what a node waits for the array.
"""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.lone_array import LoneArray
from benchmarks.nodes import Node, Waits
from instorage.wire.fault import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VOLUMES = 2  # of pods on each node
PODS = 2.0  # starts a second later on in the whole cluster, and as many ends: 7,200 an hour
STORM, LATER = 30.0, 2.0  # the requirement: the 99th percentile of an attach's wait


@dataclass(frozen=True)
class Weather:
    """What happens, in seconds.

    The nodes' agents start within `spread`: no two machines boot alike; `delay` is what a command takes at
    the array, which fails over `away_after` the begin and is away for `away`; `usual` stands for the hour
    later.
    """

    spread: float = 30.0
    delay: float = 0.3
    away_after: float = 15.0
    away: float = 10.0
    usual: float = 60.0


def run(nodes: int, weather: Weather = Weather()) -> Iterator[Figure]:
    """Have so many nodes boot, and then live on; `at` of each figure is their number, for a curve."""
    with LoneArray(weather.delay) as array:
        array.settle(nodes, VOLUMES)
        array.start()
        cluster = [Node(number, array) for number in range(nodes)]
        used = time.process_time()
        yield from _told("all boot", nodes, _boot(cluster, array, weather), STORM)
        yield Figure("storm", "all boot: CPU of all clients", time.process_time() - used, "s", at=nodes)
        yield Figure("storm", "all boot: the array was away", array.away, "s", at=nodes)
        before = array.counters()
        yield from _told("an hour later", nodes, _live(cluster, weather), LATER)
        for node in cluster:
            node.close()
        lives = [*array.counted, before]
    for what in ("opened", "refused"):
        count = sum(life["connections"][what] for life in lives)
        yield Figure("storm", f"all boot: connections {what}", count, "connections", at=nodes)
    peak = max(life["connections"]["peak"] for life in lives)
    yield Figure("storm", "all boot: connections at a time", peak, "connections", at=nodes)


def _boot(cluster: list[Node], array: LoneArray, weather: Weather) -> Waits:
    waits = Waits()
    acts: list[tuple[float, Callable[[], object]]] = [
        (random.uniform(0, weather.spread), partial(node.boots, waits, VOLUMES)) for node in cluster
    ]
    acts.append((weather.away_after, partial(array.fails_over, weather.away)))
    _play(acts)
    return waits


def _live(cluster: list[Node], weather: Weather) -> Waits:
    waits = Waits()
    acts: list[tuple[float, Callable[[], object]]] = [
        (random.uniform(0, weather.usual), partial(node.has_a_pod, waits))
        for node in random.sample(cluster, min(len(cluster), int(PODS * weather.usual)))
    ]
    _play(acts)
    return waits


def _play(acts: list[tuple[float, Callable[[], object]]]) -> None:
    """Do each at its second, and return when the last one is done."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(acts)) as pool:
        done = []
        for at, act in sorted(acts, key=lambda one: one[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))  # what is simulated
            done.append(pool.submit(act))
    for one in done:
        one.result()


def _told(what: str, nodes: int, waits: Waits, limit: float) -> Iterator[Figure]:
    for kind in ("comparison", "attach", "detach"):
        found = waits.of(kind)
        for share in (50, 99, 100) if found else ():
            held = limit if (kind, share) == ("attach", 99) else None
            value = _percentile([wait.seconds for wait in found], share)
            yield Figure("storm", f"{what}: {kind}, {share} % waited", value, "s", held, at=nodes)
        if found:
            value = _percentile([wait.whole for wait in found], 99)
            yield Figure("storm", f"{what}: {kind}, 99 % with kubelet's pauses", value, "s", at=nodes)
    faults = waits.faults()
    counts = {code: faults.count(code) for code in set(faults)}
    sys.stderr.write(f"  {nodes} nodes, {what}: calls that failed: {counts}\n")
    want = faults.count(Code.ARRAY_SESSIONS)
    yield Figure("storm", f"{what}: calls that failed for want of a session", want, "calls", 0.0, at=nodes)
    yield Figure("storm", f"{what}: other calls that failed", len(faults) - want, "calls", at=nodes)
    yield Figure("storm", f"{what}: never served", len(waits.unserved), "calls", 0.0, at=nodes)


def _percentile(values: list[float], share: int) -> float:
    return sorted(values)[max(0, -(-share * len(values) // 100) - 1)]
