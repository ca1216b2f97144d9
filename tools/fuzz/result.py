"""What a part of the fuzzer has seen: counts, time, what it did to descriptors and memory."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

GROWTH = 16 << 20  # bytes that a process may grow after its warm-up: caches and the allocator
SHOWN = 400  # bytes of an input


class FoundError(AssertionError):
    """A defect, with the input that shows it."""

    def __init__(self, what: str, data: bytes) -> None:
        super().__init__(f"{what}; input ({len(data)} bytes): {data[:SHOWN]!r}")
        self.data = data


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def memory(pid: int) -> int:
    """Return the bytes of memory that a process has resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Result:
    """One part; `codes` are the refusals by code, `begun` how many messages set a verb to work."""

    part: str
    messages: int = 0
    begun: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    before: tuple[int, int] = (0, 0)  # descriptors, bytes
    after: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        most = ", ".join(f"{code} {count}" for code, count in self.codes.most_common(4))
        grown = (self.after[1] - self.before[1]) / (1 << 20)
        return (
            f"{self.part:13} {self.messages:8} messages {self.seconds:7.1f} s  begun {self.begun:7}  "
            f"descriptors {self.before[0]} -> {self.after[0]}  memory {grown:+.1f} MiB  refused: {most}"
        )


class Watch:
    """Takes time, descriptors and memory of a process over a part; the first tenth is warm-up."""

    def __init__(self, result: Result, pid: int, wanted: int) -> None:
        self._result, self._pid, self._warm = result, pid, max(wanted // 10, 1)
        self._begun = time.monotonic()

    def tick(self) -> None:
        """Count one message."""
        self._result.messages += 1
        if self._result.messages == self._warm:
            self._result.before = descriptors(self._pid), memory(self._pid)

    def end(self) -> Result:
        """Complete the result; raise `FoundError` for what leaked."""
        result = self._result
        result.seconds = time.monotonic() - self._begun
        result.after = descriptors(self._pid), memory(self._pid)
        if result.after[0] > result.before[0]:
            raise FoundError(f"{result.part}: descriptors {result.before[0]} -> {result.after[0]}", b"")
        if result.after[1] > result.before[1] + GROWTH:
            raise FoundError(f"{result.part}: memory {result.before[1]} -> {result.after[1]}", b"")
        return result
