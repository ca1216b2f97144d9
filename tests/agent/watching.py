"""What an agent's process takes while it runs: memory, threads, descriptors, log lines, attempts."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.service import Service


@dataclass(frozen=True)
class Look:
    """`memory` is in MiB, `at` in seconds since the watch began."""

    at: float
    memory: float
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Figures:
    """What it took from one moment to another; `lines` and `attempts` minute by minute."""

    memory: tuple[float, float, float]
    """At the start, after ten minutes, at the end: MiB."""
    threads: int
    descriptors: int
    lines: tuple[int, ...]
    attempts: tuple[int, ...]
    hunger: float
    """The longest time in which the watchdog was not fed, in seconds."""

    def __str__(self) -> str:
        start, tenth, end = self.memory
        return (
            f"memory {start:.1f}, {tenth:.1f} after 10 minutes, {end:.1f} MiB at the end; at most "
            f"{self.threads} threads, {self.descriptors} descriptors; {sum(self.lines[:10])} log lines and "
            f"{sum(self.attempts[:10])} connection attempts in the first 10 minutes, then at most "
            f"{max(self.lines[10:])} and {max(self.attempts[10:])} a minute, {sum(self.lines[10:])} and "
            f"{sum(self.attempts[10:])} in sum; watchdog fed every {self.hunger:.1f} s"
        )


class Watch:
    """Looks at the service's process and counts what it writes; `minute` is how long one lasts in seconds.

    systemd's part is done too: what is notified is read.
    """

    def __init__(self, service: Service, pid: int, minute: float) -> None:
        self._service, self._pid, self._minute = service, pid, minute
        self._stopping = threading.Event()
        self._looks: list[Look] = []
        self._counted = {name: Counter[int]() for name in ("log", "attempts")}
        self._fed: list[float] = []
        self._looking = threading.Thread(target=self._look, daemon=True)

    def hear(self) -> None:
        """Read what is notified from now on, as systemd does: else the agent would wait for that."""
        threading.Thread(target=self._hear, daemon=True).start()

    def start(self) -> None:
        self._began = time.monotonic()
        self._looking.start()

    def stop(self) -> Figures:
        """Look no more; what is notified is read on."""
        self._stopping.set()
        self._looking.join(25)
        tenth = next((one for one in self._looks if one.at >= 10 * self._minute), self._looks[-1])
        minutes = range(int(self._looks[-1].at / self._minute))
        lines, attempts = (tuple(counted[n] for n in minutes) for counted in self._counted.values())
        return Figures(
            memory=(self._looks[0].memory, tenth.memory, self._looks[-1].memory),
            threads=max(look.threads for look in self._looks),
            descriptors=max(look.descriptors for look in self._looks),
            lines=lines,
            attempts=attempts,
            hunger=max((later - earlier for earlier, later in itertools.pairwise(self._fed)), default=0.0),
        )

    def _look(self) -> None:
        paths = {name: self._service.bench.directory / name for name in self._counted}
        lengths = {name: _lines(path) for name, path in paths.items()}
        while True:
            at = time.monotonic() - self._began
            self._looks.append(Look(at, *_resources(self._pid)))
            for name, path in paths.items():
                now = _lines(path)
                self._counted[name][int(at / self._minute)] += now - lengths[name]
                lengths[name] = now
            if self._stopping.wait(self._minute / 12):
                return

    def _hear(self) -> None:
        while self._service.notified.fileno() >= 0:
            with contextlib.suppress(OSError):
                if self._service.notified.recv(4096) == b"WATCHDOG=1":
                    self._fed.append(time.monotonic())


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _resources(pid: int) -> tuple[float, int, int]:
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    memory = int(fields["VmRSS"].split()[0]) / 1024
    return memory, int(fields["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))
