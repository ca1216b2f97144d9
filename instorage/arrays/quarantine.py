"""LUN numbers that rest: freed a moment ago on a host object, and not to be given again yet (safety.md 21).

They are on the disk before the command that frees them is sent, so that an agent that was killed or upgraded
in between knows them. What a reboot leaves has no stale path: numbers of another boot do not rest. When the
file cannot be read it is not known which rest, and for as long as any could, low ones all do: those are what
an array gives first.

With them stand the unmappings that may be under way: one whose answer was lost can be carried out later, and
would take the volume from the pod for which it was mapped again in the meantime.
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
ANSWER = 80.0  # seconds that an array may need for an unmapping: as long as it is waited for, and once more
HIGHEST = 2047  # number of a host (array-as18000.md 5.7)
LOW = 128  # numbers that rest while it is not known which do
MOST = 4096  # that are remembered; more than that the one that ends first is forgotten
_LARGEST = 1 << 20  # bytes of a file that is read
_LATEST = 1e10  # seconds: no machine is up for three centuries
_LOG = logging.getLogger("instorage.arrays")

Numbers = dict[tuple[str, str], dict[int, float]]
"""By array and host object: number, and the second (of the clock) at which its rest ends."""
Unmappings = dict[tuple[str, str, str], float]
"""By array, host object and volume: the second (of the clock) until which one may be carried out."""


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
        self._unmappings: Unmappings = {}
        self._unknown_until = 0.0
        if path is not None:
            self._load(path)

    def rest(self, array: str, host: str, numbers: Iterable[int], seconds: float = REST) -> None:
        """Let numbers rest for so long from now, or as long as they do already; on the disk on return."""
        with self._guard:
            if self._rest(array, host, numbers, seconds) and self._path is not None:
                self._write(self._path)

    def _rest(self, array: str, host: str, numbers: Iterable[int], seconds: float) -> bool:
        until = self.clock() + seconds
        resting = self._numbers.setdefault((array, host), {})
        longer = [number for number in numbers if resting.get(number, 0.0) < until]
        resting.update(dict.fromkeys(longer, until))
        self._forget()
        return bool(longer)

    def unmapping(
        self, array: str, host: str, volume: str, numbers: Iterable[int], seconds: float = ANSWER
    ) -> float:
        """Note an unmapping that is about to be sent, and its numbers, in one write: on the disk on return.

        Returns until when one that was sent before may be carried out, for `answered`.
        """
        with self._guard:
            key, now = (array, host, volume), self.clock()
            before = self._unmappings.get(key, 0.0)
            self._unmappings[key] = max(before, now + seconds)
            self._rest(array, host, numbers, REST + UNDER_WAY)
            if self._path is not None:
                self._write(self._path)
            return before

    def answered(self, array: str, host: str, volume: str, before: float) -> None:
        """Take back what `unmapping` noted: all that was sent since was answered.

        Written without waiting for the disk: of a machine that stops at once the note may stay.
        """
        with self._guard:
            self._unmappings[array, host, volume] = before
            if self._path is not None:
                self._forget()
                self._write(self._path, sync=False)

    def under_way(self, array: str, host: str, volume: str) -> float:
        """Return for how many seconds an unmapping of that volume from that host may be carried out."""
        with self._guard:
            return max(0.0, self._unmappings.get((array, host, volume), 0.0) - self.clock())

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
        self._unmappings = {key: until for key, until in self._unmappings.items() if until > now}
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
            text, now = path.read_bytes(), self.clock()
            boot, numbers = parse(text, now + REST + UNDER_WAY)
            unmappings = parse_unmappings(text, now + ANSWER)
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
            self._numbers, self._unmappings = numbers, unmappings
        else:  # the array goes on over a reboot; when they were sent is before this boot began
            self._unmappings = dict.fromkeys(unmappings, ANSWER)
        self._forget()

    def _write(self, path: Path, *, sync: bool = True) -> None:
        rows = [
            {"array": array, "host": host, "number": number, "until": round(until, 1)}
            for (array, host), numbers in self._numbers.items()
            for number, until in numbers.items()
        ]
        unmappings = [
            {"array": array, "host": host, "volume": volume, "until": round(until, 1)}
            for (array, host, volume), until in self._unmappings.items()
        ]
        found = {"boot": self._boot, "resting": rows, "unmappings": unmappings}
        try:
            durable_file.write(path, json.dumps(found) + "\n", sync=sync)
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


def parse_unmappings(text: bytes, latest: float) -> Unmappings:
    """Read what else is in the file, none of which lasts beyond `latest`; a version of before wrote none.

    ValueError for anything else.
    """
    rows = json.loads(text).get("unmappings", [])
    if not isinstance(rows, list):
        raise ValueError("its unmappings are no list")
    found: Unmappings = {}
    for row in rows:
        match row:
            case {"array": str(a), "host": str(h), "volume": str(v), "until": float() | int() as until} if (
                0 <= until < _LATEST
            ):
                found[a, h, v] = min(float(until), latest)
            case _:
                raise ValueError(f"{str(row)[:80]!r} is no unmapping")
    return found


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
