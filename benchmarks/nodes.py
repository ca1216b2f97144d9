"""Nodes as an array sees them: the real client, and calls repeated as kubelet repeats them; no device."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import lone_array
from instorage.arrays.model import Initiator
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.lone_array import LoneArray

FIRST_AGAIN, LONGEST_AGAIN = 0.5, 122.0  # seconds: kubelet's pauses after a call that failed
GIVE_UP = 400.0  # seconds
PASSING = (Code.ARRAY_SESSIONS, Code.ARRAY_UNREACHABLE, Code.ARRAY_BUSY, Code.TIMEOUT, Code.OUTCOME_UNKNOWN)
"""What a call that is repeated may come through; anything else is a defect of this benchmark."""


@dataclass(frozen=True)
class Wait:
    """How long something waited for the array: `seconds` in calls, `whole` with kubelet's pauses, too."""

    what: str
    seconds: float
    whole: float
    faults: tuple[Code, ...]


@dataclass
class Waits:
    """Those of all nodes; thread-safe."""

    all: list[Wait] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def until_done(self, what: str, act: Callable[[], object]) -> None:
        """Repeat a call until it succeeds, as kubelet does, and note how long that took."""
        began, pause, paused = time.monotonic(), FIRST_AGAIN, 0.0
        faults: list[Code] = []
        while time.monotonic() - began < GIVE_UP:
            try:
                act()
            except Fault as fault:
                if fault.code not in PASSING:
                    return self._never(what, str(fault))
                faults.append(Code(fault.code))
                time.sleep(pause)  # kubelet's
                paused += pause
                pause = min(pause * 2, LONGEST_AGAIN)
            else:
                whole = time.monotonic() - began
                with self._guard:
                    self.all.append(Wait(what, whole - paused, whole, tuple(faults)))
                return None
        return self._never(what, str(faults))

    def _never(self, what: str, why: str) -> None:
        sys.stderr.write(f"  {what} is never served: {why}\n")
        with self._guard:
            self.unserved.append(what)

    def of(self, what: str) -> list[Wait]:
        """Return the waits of one kind."""
        return [wait for wait in self.all if wait.what == what]

    def faults(self) -> list[Code]:
        """Return what calls failed of."""
        return [code for wait in self.all for code in wait.faults]


class Node:
    """One node with its agent's client; what it asks is what the agent asks."""

    def __init__(self, number: int, array: LoneArray) -> None:
        self.number = number
        self._array = array.client(number)
        self._host = lone_array.host(number)
        self._initiator = Initiator(iqn=Iqn(lone_array.initiator(number)))

    def compare(self) -> None:
        """Ask what an agent asks when it starts (nodeagent/recovery/comparison.py)."""
        if self._array.find_host(self._host) is not None:
            self._array.host_mappings(self._host)
            self._array.host_logins(self._host)
        self._array.iscsi_targets()

    def attach(self, volume: str) -> None:
        """Ask what an attach asks (nodeagent/calls/waitforattach.py); a volume that is mapped stays so."""
        name = VolumeName(volume)
        found = self._array.find_volume(name)
        if found is None:
            raise Fault(Code.VOLUME_MISSING, f"{volume} is not there")
        self._array.ensure_host(self._initiator, link="iscsi", names=(self._host,))
        self._array.map_volume(name, self._host, uid=found.uid)
        self._array.iscsi_targets()

    def detach(self, volume: str) -> None:
        """Ask what an unmount asks."""
        self._array.find_volume(VolumeName(volume))
        self._array.unmap_volume(VolumeName(volume), self._host)

    def boots(self, waits: Waits, volumes: int) -> None:
        """Compare, and have the pods' volumes attached at once."""
        with ThreadPoolExecutor(volumes + 1) as pool:
            done = [pool.submit(waits.until_done, "comparison", self.compare)]
            for number in range(volumes):
                name = lone_array.volume(self.number, number)
                done.append(pool.submit(waits.until_done, "attach", partial(self.attach, name)))
        for one in done:
            one.result()

    def has_a_pod(self, waits: Waits) -> None:
        """Start one pod more and end it again."""
        name = lone_array.volume(self.number, 0)
        waits.until_done("detach", partial(self.detach, name))
        waits.until_done("attach", partial(self.attach, name))

    def close(self) -> None:
        """Close the connection."""
        self._array.close()
