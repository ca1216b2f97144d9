"""A lease that was taken, and whose answer came late, or that another one has got since."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from provisioner import service as service_module
from provisioner.lease import STEADY, Lease
from provisioner.service import Service, Systemd
from tests.provisioner.program import until
from tests.provisioner.test_lease import Leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.cluster import Cluster
    from provisioner.controller import Controller

DEADLINE = 1.0  # seconds, a tenth of the usual one, as all times here


class Slow(Leases):
    """The API server's lease; the answer to the first writing comes late, the writing does not.

    `once`: the answers to later ones never come.
    """

    def __init__(self, seconds: float, *, once: bool = False) -> None:
        super().__init__()
        self._late = seconds
        self._once = once
        self.ended = threading.Event()
        self.written: list[float] = []

    def _put(self, body: dict[str, Any], version: int) -> Any:
        answer = super()._put(body, version)
        self.written.append(time.monotonic())
        if len(self.written) == 1:
            self.ended.wait(self._late)
        elif self._once:
            self.ended.wait(60)
        return answer

    def give(self, holder: str) -> None:
        """Have another one take the lease, as it may when it has seen no renewal."""
        assert self.found is not None
        self.found["spec"]["holderIdentity"] = holder
        self.found["metadata"]["resourceVersion"] = "99"

    def restore(self, earlier: float) -> None:
        """Have the lease be as it was so many seconds before it was last written."""
        assert self.found is not None
        notes = self.found["metadata"]["annotations"]
        notes[STEADY] = f"{float(notes[STEADY]) - earlier:.3f}"
        self.found["metadata"]["resourceVersion"] = "99"


class Terms:
    """Controllers, all in one: when the work began and ended."""

    ready = True

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.ended: list[float] = []

    def start(self) -> None:
        self.begun.append(time.monotonic())

    def look_alive(self) -> None:
        """Nobody watches."""

    def stop(self, _seconds: float, *, lost: bool) -> bool:
        self.ended.append(time.monotonic())
        return True


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Slow], Terms]]:
    for name in ("RENEW_SECONDS", "RENEW_DEADLINE", "RETRY_SECONDS"):
        monkeypatch.setattr(service_module, name, getattr(service_module, name) / 10)
    running: list[tuple[Service, Slow, threading.Thread]] = []

    def start(leases: Slow) -> Terms:
        terms = Terms()
        lease = Lease(cast("Cluster", leases), "kube-system", "inspur", "this one")
        service = Service(lease, lambda: cast("Controller", terms), Systemd())
        thread = threading.Thread(target=service.run)
        running.append((service, leases, thread))
        thread.start()
        return terms

    yield start
    for service, leases, thread in running:
        leases.ended.set()
        service.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_a_lease_whose_taking_was_answered_too_late_is_taken_again_before_any_work(
    serve: Callable[[Slow], Terms], caplog: pytest.LogCaptureFixture
) -> None:
    """By then another one, that saw no renewal, may have it and work."""
    leases = Slow(DEADLINE * 1.5)
    terms = serve(leases)
    until(lambda: terms.begun and len(leases.written) > 1, 20)
    assert terms.begun[0] > leases.written[1], "it worked on the word of an answer that was too old"
    assert "The lease was taken, but the answer came after" in caplog.text


def test_the_time_for_which_a_lease_is_believed_counts_from_before_it_was_asked_for(
    serve: Callable[[Slow], Terms], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RENEW_DEADLINE", 3 * DEADLINE)
    terms = serve(Slow(1.5 * DEADLINE, once=True))
    until(lambda: terms.ended, 20)
    assert terms.ended[0] - terms.begun[0] < 2.5 * DEADLINE, "the age of the answer was given to it as well"


def test_the_work_ends_at_once_when_another_one_is_seen_to_hold_the_lease(
    serve: Callable[[Slow], Terms], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RENEW_DEADLINE", 60.0)  # so that the deadline does not end it
    leases = Slow(0.0)
    terms = serve(leases)
    until(lambda: terms.begun, 20)
    leases.give("another one")
    until(lambda: "The lease is held by another one: waiting for it again" in caplog.text, 15)
    assert terms.ended


def test_the_work_begins_anew_when_the_lease_is_older_than_what_was_written(
    serve: Callable[[Slow], Terms], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Etcd was restored in less time than a lease lasts: what is watched would never tell."""
    monkeypatch.setattr(service_module, "RENEW_DEADLINE", 60.0)
    leases = Slow(0.0)
    terms = serve(leases)
    until(lambda: len(leases.written) > 1, 20)
    leases.restore(earlier=1.0)
    until(lambda: len(terms.begun) > 1, 15)
    assert "everything is listed anew" in caplog.text
