"""A provisioner that leads once more, and one with a single worker that is busy for long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from provisioner import controller as controller_module
from provisioner import service as service_module
from provisioner.controller import Controller, Work
from provisioner.persistent_volume import Names
from provisioner.service import Service, Systemd
from tests.provisioner.program import until
from tests.provisioner.scripted_api import Answer, ScriptedApi, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.creation import Creation
    from provisioner.events import Events
    from provisioner.lease import Lease
    from provisioner.orphans import Orphans

GONE = "uid-of-a-claim-that-went-while-another-one-led"


class Begun:
    """A creation that has begun something, events and orphans in one; `undone` once it was taken back."""

    alive = True

    def __init__(self) -> None:
        self.undone: list[str] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def arrays(self) -> list[str]:
        return ["storage-01"]

    def run(self, *_: Any) -> None:
        """The look for orphans."""

    def seen(self, *_: Any, **__: Any) -> None:
        """What the creation remembers of claims."""

    def unfinished(self) -> tuple[str, ...]:
        return () if self.undone else (GONE,)

    def begun(self, uid: str) -> str | None:
        return uid if uid in self.unfinished() else None

    def undo(self, wanted: str) -> None:
        self.may_end.wait(30)
        self.undone.append(wanted)


class Led:
    """A lease that is always got."""

    def take(self) -> float:
        return 0.0

    def release(self) -> None:
        """Nobody else waits for it."""


@pytest.fixture
def begun() -> Begun:
    return Begun()


@pytest.fixture
def make(begun: Begun, tmp_path: Path) -> Iterator[Callable[[Callable[[], None]], Controller]]:
    """Controllers with one worker at a cluster without a claim."""

    def answer(asked: Any) -> Answer:
        return Answer(held=5) if asked.watch else listed(1)

    with ScriptedApi(answer) as api:
        cluster = api.cluster(tmp_path)

        def controller(alive: Callable[[], None]) -> Controller:
            nobody = cast("Any", None)
            creation, events, orphans = cast("tuple[Creation, Events, Orphans]", (begun, begun, begun))
            work = Work(creation, nobody, nobody, nobody, nobody, orphans, events)
            return Controller(cluster, work, Names().provisioner, 1, alive)

        yield controller
        begun.may_end.set()


def test_what_was_begun_for_a_claim_that_went_while_another_one_led_is_taken_back(
    make: Callable[[Callable[[], None]], Controller], begun: Begun
) -> None:
    """Its deletion is in no list of the new term: the volume stayed, and was an orphan in the report."""
    controller = make(lambda: None)
    controller.start()
    try:
        until(lambda: begun.undone, 10)
    finally:
        controller.stop(5)
    assert begun.undone == [GONE]


def test_the_only_worker_may_be_busy_for_longer_than_the_watchdog_waits_but_not_for_ever(
    make: Callable[[Callable[[], None]], Controller], begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of an array's calls may take a minute, and a volume takes several."""
    monkeypatch.setattr(service_module, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(controller_module, "STUCK_SECONDS", 1.0)
    begun.may_end.clear()
    fed: list[float] = []
    service = Service(cast("Lease", Led()), lambda: make(lambda: fed.append(time.monotonic())), Systemd(), ())
    running = threading.Thread(target=service.run)
    running.start()
    try:
        until(lambda: len(fed) > 5, 10)
        until(lambda: time.monotonic() - fed[-1] > 1, 10)  # stuck by now, and so not fed any more
    finally:
        begun.may_end.set()
        service.stop()
        running.join(10)
    assert not running.is_alive()
