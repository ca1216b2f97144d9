"""Faults on command: what goes wrong with the next commands of a name, told over the control socket."""

import random
import threading
import time
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from math import inf
from typing import Any

BREAKS = ("connection", "channel", "silence")


@dataclass(frozen=True)
class Fault:
    """One fault and the commands that it meets.

    command: pattern of command names (`mk*`); match: text that the command line must contain; skip: how many
    matching commands go unharmed first; times: how many are met (0: all until cleared); seconds: all that
    come so soon after the fault was ordered are met, and none later.
    delay, jitter: seconds to wait before the work (jitter: random extra); delay_after: after it.
    error: code to fail with, without doing the work; text: its text; empty: answer nothing, successfully,
    without doing the work; noise: text on stderr of an answer that is otherwise right; warning: `CMMVC...W`
    code after the work. before/after: break `connection` (closed), `channel` (closed without an exit status)
    or `silence` (never an answer), before or after the work is done.
    """

    command: str = "*"
    match: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    delay_after: float = 0.0
    error: str = ""
    text: str = ""
    empty: bool = False
    noise: str = ""
    warning: str = ""
    before: str = ""
    after: str = ""


def fault(values: dict[str, Any]) -> Fault:
    """Build a fault from its fields; ValueError for an unknown field or a wrong value."""
    types = {f.name: type(f.default) for f in fields(Fault)}
    for name, value in values.items():
        wanted = types.get(name)
        fits = isinstance(value, (int, float)) if wanted is float else type(value) is wanted
        if wanted is None or not fits:
            raise ValueError(f"a fault has no field {name} with the value {value!r}")
    made = Fault(**values)
    if any(point not in ("", *BREAKS) for point in (made.before, made.after)):
        raise ValueError(f"before and after are one of {', '.join(BREAKS)}")
    return made


class Faults:
    """The faults in force; thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[int, Fault] = {}
        self._until: dict[int, float] = {}
        self._next = 1
        self._cleared = threading.Event()

    def add(self, new: Fault) -> int:
        """Put a fault in force and return its number."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._faults[number] = new
            if new.seconds:
                self._until[number] = time.monotonic() + new.seconds
        return number

    def clear(self, number: int | None = None) -> None:
        """Take one fault away, or all; commands that wait because of a fault go on when all are cleared."""
        with self._lock:
            if number is not None:
                self._faults.pop(number, None)
                self._until.pop(number, None)
                return
            self._faults.clear()
            self._until.clear()
            self._cleared.set()
            self._cleared = threading.Event()

    def meet(self, command: str, line: str) -> list[Fault]:
        """Return the faults that this command meets, and count it."""
        with self._lock:
            return [f for number, f in list(self._faults.items()) if self._meets(number, f, command, line)]

    def wait(self, seconds: float) -> None:
        """Wait that long, or until all faults are cleared."""
        if seconds > 0:
            self._cleared.wait(seconds)

    def _meets(self, number: int, candidate: Fault, command: str, line: str) -> bool:
        if time.monotonic() >= self._until.get(number, inf):
            del self._faults[number], self._until[number]
            return False
        if not fnmatchcase(command, candidate.command) or candidate.match not in line:
            return False
        if candidate.skip:
            self._faults[number] = replace(candidate, skip=candidate.skip - 1)
            return False
        if candidate.seconds:
            return True
        if candidate.times == 1:
            del self._faults[number]
        elif candidate.times:
            self._faults[number] = replace(candidate, times=candidate.times - 1)
        return True


def delay_of(met: list[Fault]) -> float:
    """Return the seconds to wait before the work."""
    return sum(f.delay + random.uniform(0, f.jitter) for f in met)
