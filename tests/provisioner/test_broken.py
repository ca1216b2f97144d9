"""What hangs or breaks inside the provisioner ends its work in time, and its process with a traceback."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from provisioner import service as service_module
from provisioner.attempt import Attempt
from provisioner.cluster import Away
from provisioner.lease import LEASE_SECONDS, RENEW_DEADLINE
from provisioner.service import Service, Systemd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.controller import Controller
    from provisioner.lease import Lease


class Hanging:
    """A lease whose renewals hang once it is taken: the API server takes requests and is silent."""

    another = ""
    past = False

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked = self.under_way = self.at_once = 0
        self.released = False

    def take(self) -> float:
        self.asked += 1
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        if self.asked > 1:
            self.free.wait(30)
        self.under_way -= 1
        return 0.0

    def mend(self, _error: Exception) -> str:
        return ""

    def release(self) -> None:
        self.released = True


class Working:
    """A controller that works until it is told to stop."""

    ready = True

    def __init__(self, stopped: list[float]) -> None:
        self._stopped = stopped

    def start(self) -> None:
        pass

    def look_alive(self) -> None:
        pass

    def stop(self, _seconds: float, *, lost: bool) -> bool:
        self._stopped.append(time.monotonic())
        return True


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """A tenth of the usual times."""
    for name in ("RENEW_SECONDS", "RENEW_DEADLINE", "RETRY_SECONDS"):
        monkeypatch.setattr(service_module, name, getattr(service_module, name) / 10)
    return RENEW_DEADLINE / 10


@pytest.fixture
def running() -> Iterator[Any]:
    begun: list[tuple[Service, Hanging, threading.Thread]] = []

    def start(lease: Hanging, stopped: list[float]) -> tuple[Service, list[bool]]:
        ended: list[bool] = []
        service = Service(cast("Lease", lease), lambda: cast("Controller", Working(stopped)), Systemd())
        thread = threading.Thread(target=lambda: ended.append(service.run()))
        begun.append((service, lease, thread))
        thread.start()
        return service, ended

    yield start
    for service, lease, thread in begun:
        service.stop()
        lease.free.set()
        thread.join(10)
        assert not thread.is_alive()


def test_a_renewal_that_hangs_loses_the_lease_before_another_one_may_take_it(
    running: Any, short: float
) -> None:
    assert RENEW_DEADLINE < LEASE_SECONDS
    stopped: list[float] = []
    lease = Hanging()
    began = time.monotonic()
    running(lease, stopped)
    while not stopped and time.monotonic() - began < 8:
        time.sleep(0.02)
    assert stopped, "it still works"
    assert stopped[0] - began < short + 0.4
    assert lease.at_once == 1
    assert not lease.released


def test_an_answer_that_came_too_late_is_not_believed() -> None:
    free, answers = threading.Event(), iter((1, 2))

    def call() -> int:
        answer = next(answers)
        free.wait(10)
        return answer

    attempt = Attempt(call, "late")
    with pytest.raises(Away, match="no answer within"):
        attempt.ask(0.1)
    with pytest.raises(Away):
        attempt.ask(0.1)
    free.set()
    assert attempt.ask(5) == 2


def test_what_an_attempt_raises_is_raised_to_who_asked() -> None:
    attempt: Attempt[int] = Attempt(lambda: int("x"), "broken")
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            attempt.ask(5)


def test_a_thread_that_ends_by_a_defect_ends_the_process_with_its_traceback(
    running: Any, short: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Hanging()
    lease.free.set()
    service, ended = running(lease, [])
    monkeypatch.setattr(threading, "excepthook", service.broken)

    def defect() -> None:
        raise ZeroDivisionError("by a defect")

    thread = threading.Thread(target=defect, name="persistentvolumeclaims")
    with caplog.at_level(logging.CRITICAL):
        thread.start()
        thread.join(5)
        began = time.monotonic()
        while not ended and time.monotonic() - began < 5:
            time.sleep(0.02)
    assert ended == [False], "the exit status is not 0, so systemd starts it again"
    assert "ended persistentvolumeclaims" in caplog.text
    assert "ZeroDivisionError: by a defect" in caplog.text
    assert lease.released
