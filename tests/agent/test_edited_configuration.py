"""The configuration edited while calls run against two arrays: each call uses the old one or the new one.

Two hundred changes in `make soak`.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, Bench, device_target, options, until
from tests.agent.conftest import loopback
from tests.agent.dead_arrays import Array
from tests.agent.editing import WAYS, Arrays, changes, renamed
from tests.agent.front import Portals
from tests.agent.service import Service
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDITS = 200 if WHOLE else 10
REST = 0.5  # seconds, instead of one
PRELUDE = f"""
import instorage.arrays.endpoint as endpoint
import instorage.configuration.file as file
file.REST_SECONDS = {REST}
limits = vars(endpoint.Limits()) | {{"idle": 1.0, "spacing": 0.05}}
endpoint.Limits.__init__.__defaults__ = tuple(limits.values())
"""
OUTCOMES = {"is not in ": "missing", "refused the user name or the password": "refused"}
pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(60 + 6 * EDITS)]


@dataclass(frozen=True)
class Ended:
    """A call that ended; times are monotonic seconds."""

    storage: str
    began: float
    ended: float
    message: str

    @property
    def outcome(self) -> str:
        return next((kind for part, kind in OUTCOMES.items() if part in self.message), self.message)


class Load:
    """Calls for a volume on each array, in threads of their own, one after another."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._stopping = threading.Event()
        self.ended: list[Ended] = []
        self._threads = [
            threading.Thread(target=self._run, args=(f"vol{n}", storage), daemon=True)
            for n, storage in ((1, "storage-01"), (2, "storage-01"), (3, "storage-02"), (4, "storage-02"))
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, volume: str, storage: str) -> None:
        text = options(volume, storageName=storage)
        row = (
            ("waitforattach", NODE, text),
            ("mountdevice", device_target(volume), "/dev/x", text),
            ("waitforattach", NODE, text),
            ("unmountdevice", device_target(volume)),
        )
        while not self._stopping.is_set():
            for call in row:
                if not self._succeeded(storage, call):
                    break  # as kubelet does: from the beginning

    def _succeeded(self, storage: str, call: tuple[str, ...]) -> bool:
        began = time.monotonic()
        answer = self._bench.call(*call).answer
        succeeded: bool = answer["status"] == "Success"
        said = "success" if succeeded else answer["message"]
        self.ended.append(Ended(storage, began, time.monotonic(), said))
        return succeeded

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)


class Edits:
    """Each text with the moment when its writing began; one that is written over for long counts as well."""

    def __init__(self, path: Path, first: Arrays) -> None:
        self._path = path
        self.written = [(0.0, first)]
        self.slow: list[tuple[float, float]] = []
        """When a writer stopped for longer than a file must rest: half of it may count (a busy machine)."""

    def write(self, number: int, arrays: Arrays) -> None:
        began = time.monotonic()
        self.written.append((began, arrays))
        WAYS[number % len(WAYS)](self._path, arrays.text)
        ended = time.monotonic()
        if ended - began > 0.8 * REST:
            self.slow.append((began, ended + 10))

    def possible(self, call: Ended) -> set[str]:
        """What the call may meet by a configuration that was in force while it ran.

        One is in force until the next has rested and somebody has asked for it.
        """
        last = max(at for at, _ in self.written if at <= call.began - REST - 4 or at == 0.0)
        return {arrays.outcome(call.storage) for at, arrays in self.written if last <= at <= call.ended}

    def undisturbed(self, call: Ended) -> bool:
        return not any(began <= call.ended and call.began <= ended for began, ended in self.slow)


@pytest.fixture
def service(directory: Path) -> Iterator[Service]:
    portals = Portals(loopback(), loopback())
    made = Service(Bench(directory, portals.named), PRELUDE)
    yield made
    made.close()
    made.bench.close()
    portals.stop()


def resources(pid: int) -> tuple[int, int]:
    """How many threads and descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def test_each_call_uses_the_old_or_the_new_configuration_and_nothing_is_left_behind(service: Service) -> None:
    bench = service.bench
    second = Array(bench.directory, bench.portals)
    bench.create("vol1")
    bench.create("vol2")
    for name in ("vol3", "vol4"):
        second.create(name)
    port = int(second.simulator.address.rpartition(":")[2])
    first = Arrays("host:\n  link: iscsi\n  nodeName: node1\n", (bench.port, port))
    renamed(bench.paths.configuration, first.text)
    process = service.start()
    edits, load = Edits(bench.paths.configuration, first), Load(bench)
    until(lambda: len(load.ended) > 20, 30)
    for number, arrays in zip(range(EDITS), changes(first), strict=False):
        edits.write(number, arrays)
        if number % 5 == 4:  # two editors in turn, neither of whom knows of the other
            for other in (first, arrays) * 2:
                time.sleep(REST / 5)
                edits.write(0, other)
        time.sleep(REST + 0.4)
    edits.write(0, first)
    time.sleep(REST + 0.2)
    load.stop()
    for name, storage in (("vol1", "storage-01"), ("vol3", "storage-02")):
        bench.attach(name, options(name, storageName=storage)).success()
    strange = [one for one in load.ended if one.outcome not in edits.possible(one)]
    assert not [one for one in strange if edits.undisturbed(one)]
    assert {one.outcome for one in load.ended} >= {"success", "missing", "refused"}
    most = (12, 22)  # as after a start; 40 edits of two arrays have left nothing
    until(lambda: all(now <= one for now, one in zip(resources(process.pid), most, strict=True)), 20)
    log = service.log()
    assert log.count(" is in force") <= 1 + len(edits.written)
    assert log.count(" is in force") >= EDITS / 2
    assert "Traceback" not in log
    second.close()
