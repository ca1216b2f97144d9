"""What goes wrong when: schedules of work and faults, drawn from a seed and the same each time.

A schedule is a row of turns. In each some volumes are worked on at once, as kubelet does (a pod starts, grows
its volume, ends), and one or two faults strike meanwhile. Kinds of faults are dealt as from a deck of cards:
in a run of schedules each kind comes as often as any other, whatever the seed, and a schedule depends on the
seed and its number alone, so that a run can be continued.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TURNS = 3
STRIKES = 2  # in a turn, at most
VOLUMES = 3
SOON, LONG = 0.9, 1.0  # of what a world takes for the time of an operation, and of a fault


class Work(StrEnum):
    """What is done with a volume in one turn."""

    START = "start"
    GROW = "grow"
    END = "end"


@dataclass(frozen=True)
class Kind:
    """A kind of fault; `on`: the work that it is meant for; `aimed`: at one volume, and no other meets it."""

    name: str
    on: tuple[Work, ...] = tuple(Work)
    aimed: bool = False


@dataclass(frozen=True)
class Strike:
    """A fault that strikes `after` the turn began and `lasts`, both in shares of a world's own times.

    `volume` is one that is worked on then; `way` is the path, portal or target of two.
    """

    kind: str
    volume: int
    way: int
    after: float
    lasts: float
    aimed: bool = False


@dataclass(frozen=True)
class Turn:
    """The work of each volume that has some, and the faults meanwhile in their order."""

    work: tuple[tuple[int, Work], ...]
    strikes: tuple[Strike, ...]


@dataclass(frozen=True)
class Schedule:
    """Schedule `number` of a seed. Every volume begins without a pod, and may end with one."""

    seed: int
    number: int
    turns: tuple[Turn, ...]

    def __str__(self) -> str:
        return f"seed {self.seed}, schedule {self.number}"


def drawn(seed: int, number: int, kinds: Sequence[Kind], volumes: int = VOLUMES) -> Schedule:
    """Return one schedule of a seed."""
    source = random.Random(f"{seed} {number}")
    dealt = _dealt(seed, kinds, number * TURNS * STRIKES)
    used: set[int] = set()
    turns = []
    for _ in range(TURNS):
        meant = list(itertools.islice(dealt, STRIKES))
        work = _work(source, meant, used, volumes)
        strikes = [_strike(source, kind, work) for kind in meant]
        turns.append(Turn(tuple(sorted(work.items())), tuple(sorted(strikes, key=lambda one: one.after))))
    return Schedule(seed, number, tuple(turns))


def enough(kinds: Sequence[Kind]) -> int:
    """Return how many schedules deal each kind at least once, from whichever number on."""
    return -(-2 * len(kinds) // (TURNS * STRIKES))


def _dealt(seed: int, kinds: Sequence[Kind], first: int) -> Iterator[Kind]:
    """Deal pack after pack, each shuffled, from the `first` card on."""
    begun, skipped = divmod(first, len(kinds))
    packs = (
        random.Random(f"{seed} pack {pack}").sample(kinds, len(kinds)) for pack in itertools.count(begun)
    )
    return itertools.islice(itertools.chain.from_iterable(packs), skipped, None)


def _work(source: random.Random, meant: Sequence[Kind], used: set[int], volumes: int) -> dict[int, Work]:
    """Choose what each volume does, so that every fault that is meant finds one; `used` is brought on."""
    work: dict[int, Work] = {}
    for kind in meant:
        if not any(one in kind.on for one in work.values()):
            free = [number for number in range(volumes) if number not in work]
            able = [(number, one) for number in free for one in _possible(number in used) if one in kind.on]
            number, one = source.choice(able or [(free[0], _possible(free[0] in used)[0])])
            work[number] = one
    for number in range(volumes):
        if number not in work and source.random() < 0.6:
            work[number] = source.choice(_possible(number in used))
    for number, one in work.items():
        used.discard(number) if one is Work.END else used.add(number)
    return work


def _possible(used: bool) -> tuple[Work, ...]:
    return (Work.GROW, Work.END) if used else (Work.START,)


def _strike(source: random.Random, kind: Kind, work: dict[int, Work]) -> Strike:
    fitting = [number for number, one in work.items() if one in kind.on]
    volume = source.choice(fitting or sorted(work))
    after, lasts = (round(source.uniform(0, most), 3) for most in (SOON, LONG))
    return Strike(kind.name, volume, source.randrange(2), after, lasts, kind.aimed)
