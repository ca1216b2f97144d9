"""An agent that is killed at a step of the table: a process of its own on a bench."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, Bench, device_target, options, pod_target
from tests.agent.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.crash.table import Step

VOLUME = "vol1"

ROOT = Path(__file__).resolve().parents[2]

HOOK = """
import os, signal
from instorage.wire import steps

def reached(step):
    armed = os.path.join({directory!r}, step)
    if os.path.exists(armed):
        os.unlink(armed)
        os.kill(os.getpid(), signal.SIGKILL)

steps.reached = reached
"""

CALLS = {
    "attach": ("waitforattach", NODE, options(VOLUME)),
    "mountdevice": ("mountdevice", device_target(VOLUME), "/dev/x", options(VOLUME)),
    "mount": ("mount", pod_target(VOLUME), options(VOLUME)),
    "unmount": ("unmount", pod_target(VOLUME)),
    "unmountdevice": ("unmountdevice", device_target(VOLUME)),
    "detach": ("detach", VOLUME, "node2"),
}


@dataclass
class Victim:
    """An agent that dies when it comes to an armed step."""

    service: Service
    armed: Path

    @property
    def bench(self) -> Bench:
        return self.service.bench

    def start(self, rest: float = 30.0) -> None:
        self.process = self.service.start(rest, PYTHONPATH=f"{self.armed.parent / 'hook'}:{ROOT}")

    def arm(self, step: Step) -> None:
        (self.armed / step).touch()

    def dies_in(self, *argv: str) -> None:
        """Make a call that the agent does not survive."""
        self.bench.begin(*argv)
        self.dies()

    def dies(self) -> None:
        assert self.process.wait(10) == -signal.SIGKILL
        assert not list(self.armed.iterdir())

    def call(self, name: str) -> None:
        self.bench.call(*CALLS[name]).success()

    @property
    def clean(self) -> bool:
        bench = self.bench
        return not bench.maps(VOLUME) and not bench.records() and not bench.helper.devices


@pytest.fixture
def agent(directory: Path, portal: Callable[[], str]) -> Iterator[Victim]:
    (directory / "hook").mkdir()
    (directory / "armed").mkdir()
    (directory / "hook/sitecustomize.py").write_text(HOOK.format(directory=str(directory / "armed")))
    service = Service(Bench(directory, {1: portal(), 2: portal()}))
    yield Victim(service, directory / "armed")
    service.close()
    service.bench.close()


@pytest.fixture
def volume(agent: Victim) -> str:
    agent.start()
    return agent.bench.create(VOLUME)
