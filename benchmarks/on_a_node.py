"""The parts that need a kernel and a SAN: starts and ends of volumes on a node of the lab."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure
from benchmarks.processes import memory, processor_seconds
from benchmarks.work import Bare, FlexVolume, Work
from tools.lab.product import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.work import Driver, Volume
    from tools.lab.machine import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

    Round = Callable[[], tuple[float, float]]

LATENCY = 0.05  # seconds an array command, where nothing else is said
OVER_THE_FLOOR, OVER_THE_FLOORS_TWENTY = 1.10, 1.05
COMMANDS = {"start": 4, "unmount": None, "detach": None}
END = 3  # commands: the requirement's «detach», which is the last two together
RESIDENT = {"agent": 60.0, "helper": 30.0}  # MiB
IDLE = 60  # seconds within which the helper leaves
THEIRS = "/opt/peer"
"""The other driver's directory on the node."""


@dataclass
class Node:
    """A node with the product, a volume attached so that sessions are there, and the drivers to compare."""

    product: Product
    san: San
    peer: str = ""
    rounds: int = 3

    def __post_init__(self) -> None:
        self.machine: Machine = self.product.machine
        self.ours = FlexVolume(self.machine)
        self.bare = Bare(self.machine, self.product.host["link"])
        self._anchor = Work(self.san, self.ours)
        self._standing = self._anchor.volumes(1)[0]

    def latency(self, seconds: float) -> None:
        """Have each array command take so long, from now on."""
        self.san.control.do("clear")
        if seconds:
            self.san.control.do("fault", command="*", times=0, delay=seconds)

    def first(self) -> Iterator[Figure]:
        """Measure the first volume of a node that has no session, no host object and no helper; it stays."""
        self._started()
        self.latency(LATENCY)
        yield Figure("first", "first volume of a node: start", self.ours.start(self._standing), "s")
        phases = self._phases()
        for name, seconds in phases.items():
            yield Figure("first", f"of which: {name}", seconds, "s")
        (host,) = self.san.control.do("hosts")
        self.bare.prepare(host["name"])

    def _started(self) -> None:
        """Wait until an agent that has just begun to run has loaded all: pods come to nodes that are up."""
        deadline, before = time.monotonic() + IDLE, -1.0
        while (used := processor_seconds(self.machine)["agent"]) != before and time.monotonic() < deadline:
            before = used
            time.sleep(1.0)

    def warm(self) -> Iterator[Figure]:
        """Compare one volume with the floor, in turn, and say where ours goes."""
        self.latency(LATENCY)
        floors, ours = self._in_turn(self._round(self.bare), self._counted)
        for name, rounds in (("the floor", floors), ("ours", ours)):
            yield Figure("one volume", f"start, {name}", statistics.median(s for s, _ in rounds), "s")
        pairs = list(zip(floors, ours, strict=True))
        over = statistics.median(mine[0] / floor[0] for floor, mine in pairs)
        yield Figure("one volume", "start, over the floor", over, "times", OVER_THE_FLOOR)
        over = statistics.median(mine[1] / floor[1] for floor, mine in pairs)
        yield Figure("one volume", "end, over the floor", over, "times")
        nothing = statistics.median(self.machine.run("true").seconds for _ in range(self.rounds))
        yield Figure("one volume", "a command that does nothing: ours are two, the floor one", nothing, "s")
        for name, seconds in self._phases().items():
            yield Figure("where a start goes", name, seconds, "s")
        yield from self._asked()

    def cold(self) -> Iterator[Figure]:
        """Compare a start whose helper has left with one whose helper is there."""
        self.latency(LATENCY)
        warm, cold = self._in_turn(self._round(self.ours), self._without_a_helper)
        over = statistics.median(c[0] / w[0] for w, c in zip(warm, cold, strict=True))
        yield Figure("cold", "start, its helper gone, over one with a helper", over, "times")

    def many(self, count: int) -> Iterator[Figure]:
        """Compare `count` volumes at once with the floor's `count`, 200 ms an array command."""
        if not self.bare.host:
            list(self.first())
        self.latency(4 * LATENCY)
        bare, work = Work(self.san, self.bare), Work(self.san, self.ours)
        floor = bare.at_once(count)
        before = processor_seconds(self.machine)
        ours = work.at_once(count)
        limit = OVER_THE_FLOORS_TWENTY if count >= 20 else None
        part = f"{count} volumes at once"
        yield Figure(part, "start of all, the floor", floor[0], "s")
        yield Figure(part, "start of all, ours", ours[0], "s")
        yield Figure(part, "start of all, over the floor", ours[0] / floor[0], "times", limit)
        yield Figure(part, "end of all, over the floor", ours[1] / floor[1], "times")
        for said in self.ours.failed:
            sys.stderr.write(f"  failed, and asked again: {said}\n")
        yield Figure(part, "calls that failed and were made again", len(self.ours.failed), "calls", 0)
        yield Figure(part, "CPU of the whole node, each start, the floor", bare.busy / count, "s")
        yield Figure(part, "CPU of the whole node, each start, ours", work.busy / count, "s")
        for name, after in processor_seconds(self.machine).items():
            yield Figure(part, f"CPU of {name}, start and end of one", (after - before[name]) / count, "s")
        for name, mib in work.resident.items():
            yield Figure(part, f"{name}, resident with all of them started", mib, "MiB", RESIDENT[name])
        for name, seconds in self._phases(count).items():
            yield Figure(f"where each of {count} starts goes", name, seconds, "s")

    def latencies(self) -> Iterator[Figure]:
        """Measure one start at three latencies of the array."""
        for seconds in (0.0, LATENCY, 4 * LATENCY):
            self.latency(seconds)
            took = Work(self.san, self.ours).at_once(1)[0]
            yield Figure("array latency", "start of one, ms a command", took, "s", at=seconds * 1000)

    def peers(self) -> Iterator[Figure]:
        """Put another driver through the same work, in turn with ours."""
        if not self.peer:
            return
        self.latency(LATENCY)
        theirs, ours = self._in_turn(self._round(self._their_driver()), self._round(self.ours))
        for number, verb in enumerate(("start", "end")):
            over = statistics.median(t[number] / o[number] for t, o in zip(theirs, ours, strict=True))
            yield Figure("peer", f"{verb}, the peer's over ours", over, "times")

    def peers_first(self, ours: float) -> Iterator[Figure]:
        """Measure the other driver's first volume, on a node where nothing was attached; `ours`: seconds."""
        self.latency(LATENCY)
        theirs = Work(self.san, self._their_driver()).at_once(1)[0]
        yield Figure("peer", "first volume of a node: start, the peer's", theirs, "s")
        yield Figure(
            "peer", "first volume of a node: start, ours over the peer's", ours / theirs, "times", 1.0
        )

    def _their_driver(self) -> FlexVolume:
        """Put the other driver on the node, with our configuration, and maps for all disks, as it expects."""
        self.machine.put(f"{THEIRS}/{Path(self.peer).name}", Path(self.peer).read_bytes(), 0o755)
        settings = json.loads(self.machine.read(CONFIGURATION))
        settings["log"] |= {"enabled": True, "logdir": f"{THEIRS}/log"}  # else its answers are no JSON
        self.machine.put(f"{THEIRS}/config/instorage.yaml", json.dumps(settings), 0o600)
        self.machine.run(f"mkdir -p {THEIRS}/log")
        self.machine.put("/etc/multipath/conf.d/zz-peer.conf", "defaults {\n    find_multipaths no\n}\n")
        self.machine.run("multipathd reconfigure", 60)
        return FlexVolume(self.machine, f"{THEIRS}/{Path(self.peer).name}")

    def at_rest(self) -> Iterator[Figure]:
        """Say what is resident, and what is left of the helper once it has had nothing to do."""
        self.ours.again(self._standing)
        for name, mib in memory(self.machine).items():
            yield Figure("memory", f"{name}, resident", mib, "MiB", RESIDENT[name])
        deadline = time.monotonic() + IDLE
        while (left := memory(self.machine)["helper"]) and time.monotonic() < deadline:
            time.sleep(1.0)
        yield Figure("memory", "helper, resident when idle", left, "MiB", 0.0)

    def done(self) -> None:
        """End the volume that kept the sessions, where there is one."""
        self.latency(0)
        if self.ours.has(self._standing):
            self.ours.end(self._standing)

    def _in_turn(self, *rounds: Round) -> list[list[tuple[float, float]]]:
        """Do each once, then each again: what drifts meets all of them."""
        done = []
        for number in range(self.rounds):
            done.append([one() for one in rounds])
            told = ", ".join(f"{start:.2f} and {end:.2f} s" for start, end in done[-1])
            sys.stderr.write(f"  round {number + 1}, start and end of each: {told}\n")
        return [[turn[number] for turn in done] for number in range(len(rounds))]

    def _round(self, driver: Driver) -> Round:
        return lambda: Work(self.san, driver).at_once(1)

    def _without_a_helper(self) -> tuple[float, float]:
        self.machine.run("systemctl stop instorage-helper.service")
        return Work(self.san, self.ours).at_once(1)

    def _counted(self) -> tuple[float, float]:
        """Measure ours with everything there, as the floor's is, and count what it asks of the array."""
        (volume,) = Work(self.san, self.ours).volumes(1)
        self.ours.again(self._standing)
        self._before = processor_seconds(self.machine)
        self.asked: list[dict[str, Any]] = []
        acts = (self.ours.start, self.ours.unmount, self.ours.detach)
        start, unmount, detach = [self._asking(act, volume) for act in acts]
        self.san.command(f"mcsop rmvdisk -force {volume.name}")
        return start, unmount + detach

    def _asking(self, act: Callable[[Volume], float], volume: Volume) -> float:
        self.san.control.do("reset-counters")
        took = act(volume)
        self.asked.append(self.san.control.do("counters"))
        return took

    def _asked(self) -> Iterator[Figure]:
        for (verb, limit), counters in zip(COMMANDS.items(), self.asked, strict=True):
            opened = counters["connections"]["opened"]
            sys.stderr.write(f"  {verb}: {counters['commands']}\n")
            yield Figure("one volume", f"array commands, {verb}", counters["total"], "commands", limit)
            yield Figure("one volume", f"new SSH connections, {verb}", opened, "connections", 0)
        end = sum(counters["total"] for counters in self.asked[1:])
        yield Figure("one volume", "array commands, unmount and detach", end, "commands", END)
        for name, after in processor_seconds(self.machine).items():
            yield Figure("one volume", f"CPU of {name}, start and end", after - self._before[name], "s")

    def _phases(self, count: int = 1) -> dict[str, float]:
        """Return the mean seconds of each phase of the `count` newest starts, as the agent journalled."""
        found: dict[str, float] = {}
        for call in ("waitforattach", "mountdevice"):
            for record in self.product.journal(f"INSTORAGE_CALL={call}", f"-n{count}"):
                for phase, milliseconds in json.loads(record["INSTORAGE_PHASES"]).items():
                    found[phase] = found.get(phase, 0.0) + milliseconds / 1000 / count
        return found
