"""Runs a schedule in a world: work on several volumes at once, faults in between, and then the oracle."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.ledger import Result
    from tests.faults.schedule import Schedule, Strike, Turn, Work


class World(Protocol):
    """A node with an array. `usual`: seconds of an operation without a fault; `longest`: of a fault.

    `prepare` is what comes before the operations of a turn and is none of them. `work` insists as kubelet
    does until it has succeeded, and raises AssertionError when it does not within its own deadline. `strike`
    returns what heals, None when there was nothing to strike. `check` is the oracle between two turns,
    `finish` that of the end.
    """

    usual: float
    longest: float

    def prepare(self, turn: Turn) -> None: ...

    def work(self, volume: int, work: Work) -> None: ...

    def strike(self, strike: Strike) -> Callable[[], object] | None: ...

    def check(self) -> None: ...

    def finish(self) -> None: ...


def run(schedule: Schedule, world: World, result: Result) -> None:
    """Run one schedule; `result` counts what struck, and is clean when this returns."""
    begun = time.monotonic()
    try:
        for turn in schedule.turns:
            print(f"{schedule}, {time.monotonic() - begun:.0f} s: {_described(turn)}")
            with _timed("prepared"):
                world.prepare(turn)
            with _timed("done"):
                _turn(turn, world, result)
            with _timed("checked"):
                world.check()
        with _timed("finished"):
            world.finish()
        result.clean = True
    except BaseException as error:
        result.said = f"{type(error).__name__}: {error}"[:2000]
        raise
    finally:
        result.seconds = round(time.monotonic() - begun, 1)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    """Say how long a part took, also of a run that is broken off."""
    begun = time.monotonic()
    try:
        yield
    finally:
        print(f"    {what}: {time.monotonic() - begun:.1f} s", flush=True)


def _turn(turn: Turn, world: World, result: Result) -> None:
    begun, healing = time.monotonic(), list[tuple[float, "Callable[[], object]"]]()
    with ThreadPoolExecutor(len(turn.work)) as pool:
        by_volume = {volume: pool.submit(world.work, volume, work) for volume, work in turn.work}
        jobs = list(by_volume.values())
        try:
            for strike in turn.strikes:
                _rest(jobs, begun + strike.after * world.usual)
                meant = [by_volume[strike.volume]] if strike.aimed else jobs
                before = _in_flight(meant)
                heal = world.strike(strike)
                if heal is None:
                    continue
                healing.append((time.monotonic() + strike.lasts * world.longest, heal))
                result.struck[strike.kind] += 1
                result.met[strike.kind] += before and _in_flight(meant)
        finally:
            for until, heal in sorted(healing, key=lambda one: one[0]):
                _rest(jobs, until)
                heal()
        for job in jobs:
            job.result()


def _in_flight(jobs: list[Future[None]]) -> bool:
    return any(not job.done() for job in jobs)


def _rest(jobs: list[Future[None]], until: float) -> None:
    """Let time go by while there is work under way that a fault may meet."""
    wait(jobs, timeout=max(until - time.monotonic(), 0), return_when=FIRST_EXCEPTION)


def _described(turn: Turn) -> str:
    work = ", ".join(f"{volume} {one}" for volume, one in turn.work)
    faults = ", ".join(f"{one.kind} on {one.volume}/{one.way} at {one.after}" for one in turn.strikes)
    return f"{work} | {faults}"
