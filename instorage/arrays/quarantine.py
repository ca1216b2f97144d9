"""LUN numbers that rest: freed a moment ago on a host object, and not to be given again yet (safety.md 21).

They are on the disk before the command that frees them is sent, so that an agent that was killed or upgraded
in between knows them. What a reboot leaves has no stale path: numbers of another boot do not rest. When the
file cannot be read it is not known which rest, and for as long as any could, low ones all do: those are what
an array gives first.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING

from instorage import durable_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

REST = 120.0  # seconds: longer than a detach and the next attach, their retries included
UNDER_WAY = 60.0  # seconds that the command which frees a number may take beside
HIGHEST = 2047  # number of a host (array-as18000.md 5.7)
LOW = 128  # numbers that rest while it is not known which do
MOST = 4096  # that are remembered; more than that the one that ends first is forgotten
_LARGEST = 1 << 20  # bytes of a file that is read
_LATEST = 1e10  # seconds: no machine is up for three centuries
_LOG = logging.getLogger("instorage.arrays")

Numbers = dict[tuple[str, str], dict[int, float]]
"""By array and host object: number, and the second (of the clock) at which its rest ends."""


def since_boot() -> float:
    """Return seconds since the boot, those asleep included: they go on over restarts of a process."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Quarantine:
    """The numbers that rest; for several threads, and with `path` for the process that comes after.

    `boot` is the kernel's id of this boot. A file that cannot be written is said, and stops nothing.
    """

    def __init__(
        self, path: Path | None = None, boot: str = "", clock: Callable[[], float] = since_boot
    ) -> None:
        self.clock = clock
        self._path = path
        self._boot = boot
        self._guard = threading.Lock()
        self._numbers: Numbers = {}
        self._unknown_until = 0.0
        if path is not None:
            self._load(path)

    def rest(self, array: str, host: str, numbers: Iterable[int], seconds: float = REST) -> None:
        """Let numbers rest for so long from now, or as long as they do already; on the disk on return."""
        with self._guard:
            until = self.clock() + seconds
            resting = self._numbers.setdefault((array, host), {})
            longer = [number for number in numbers if resting.get(number, 0.0) < until]
            resting.update(dict.fromkeys(longer, until))
            self._forget()
            if longer and self._path is not None:
                self._write(self._path)

    def resting(self, array: str, host: str) -> dict[int, float]:
        """Return the numbers of a host object that rest, with the second at which each one's rest ends."""
        with self._guard:
            now = self.clock()
            low = dict.fromkeys(range(LOW), self._unknown_until) if self._unknown_until > now else {}
            found = self._numbers.get((array, host), {})
            return low | {number: until for number, until in found.items() if until > now}

    def _forget(self) -> None:
        """Drop what has rested, and of too many the first to end."""
        now = self.clock()
        alive = sorted(
            (until, key, number)
            for key, numbers in self._numbers.items()
            for number, until in numbers.items()
            if until > now
        )
        self._numbers = {}
        for until, key, number in alive[-MOST:]:
            self._numbers.setdefault(key, {})[number] = until

    def _load(self, path: Path) -> None:
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"it has more than {_LARGEST} bytes")
            boot, numbers = parse(path.read_bytes(), self.clock() + REST + UNDER_WAY)
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            self._unknown_until = self.clock() + REST + UNDER_WAY
            _LOG.warning(
                "Which LUN numbers rest is not known, since %s cannot be read (%s): for %.0f s none below %d "
                "is asked for. It is written anew at the next unmapping.",
                path, error, REST + UNDER_WAY, LOW,
            )  # fmt: skip
            return
        if boot == self._boot:
            self._numbers = numbers
            self._forget()

    def _write(self, path: Path) -> None:
        rows = [
            {"array": array, "host": host, "number": number, "until": round(until, 1)}
            for (array, host), numbers in self._numbers.items()
            for number, until in numbers.items()
        ]
        try:
            durable_file.write(path, json.dumps({"boot": self._boot, "resting": rows}) + "\n")
        except OSError as error:
            _LOG.warning(
                "The LUN numbers that rest cannot be written to %s (%s): a restart within two minutes "
                "forgets them. Free space, or mend the file system.",
                path, error,
            )  # fmt: skip


def parse(text: bytes, latest: float) -> tuple[str, Numbers]:
    """Read a file as `Quarantine` writes it: the boot, and the numbers, none of which rests beyond `latest`.

    ValueError for anything else: half a list would be taken for the whole one.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("boot"), str):
        raise ValueError("it names no boot")
    rows = found.get("resting")
    if not isinstance(rows, list):
        raise ValueError("it has no list of numbers")
    numbers: Numbers = {}
    for row in rows:
        array, host, number, until = _row(row)
        numbers.setdefault((array, host), {})[number] = min(until, latest)
    return found["boot"], numbers


def _row(row: object) -> tuple[str, str, int, float]:
    match row:
        case {
            "array": str(array),
            "host": str(host),
            "number": int(number),
            "until": float() | int() as until,
        }:
            if 0 <= number <= HIGHEST and 0 <= until < _LATEST:
                return array, host, int(number), float(until)
    raise ValueError(f"{str(row)[:80]!r} is no number that rests")
