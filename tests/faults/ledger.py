"""What came of the schedules of a seed: a line of JSON for each, in a file that outlives the session.

A run that is told to do more goes on where the last one stopped: what is written as clean is not done again,
what failed is. The file lies outside of the checkout; a line that was cut off by a kill does not count.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(os.environ.get("INSTORAGE_FAULTS", "/var/cache/instorage-lab/faults"))


@dataclass
class Result:
    """One schedule. `struck`: how often each kind of fault did; `met`: while an operation was in flight."""

    seed: int
    number: int
    commit: str
    clean: bool = False
    said: str = ""
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Ledger:
    """The results of one seed in one file."""

    path: Path

    def write(self, result: Result) -> None:
        """Append; on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if file.tell() and not self.path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(json.dumps(vars(result)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def results(self) -> dict[int, Result]:
        """Return the latest result of each schedule by its number."""
        return {one.number: one for one in self._lines()}

    def clean(self) -> set[int]:
        """Return the numbers of the schedules whose latest result is clean."""
        return {number for number, one in self.results().items() if one.clean}

    def _lines(self) -> Iterator[Result]:
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                read = json.loads(line)
            except ValueError:
                continue
            read |= {name: Counter(read[name]) for name in ("struck", "met")}
            yield Result(**read)


def met(results: Iterable[Result], kinds: Iterable[str]) -> Counter[str]:
    """Return how often each kind of fault struck while an operation was in flight; 0: never."""
    found = Counter(dict.fromkeys(kinds, 0))
    for one in results:
        found.update(one.met)
    return found


def told(results: Iterable[Result], kinds: Iterable[str]) -> str:
    """Return a line for docs/soak.md: schedules, how many were clean, each fault with its counts."""
    every = list(results)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(met(every, kinds).items()))
    commits = " ".join(dict.fromkeys(one.commit for one in every))
    clean, seconds = sum(one.clean for one in every), sum(one.seconds for one in every)
    return f"{len(every)} schedules on {commits}, {clean} clean, {seconds:.0f} s; met in flight: {counts}"
