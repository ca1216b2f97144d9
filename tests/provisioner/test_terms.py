"""A provisioner that leads once more, and one with a single worker that is busy for long."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.wire.fault import Fault
from provisioner import controller as controller_module
from provisioner import service as service_module
from provisioner.cluster import VOLUMES, Away
from provisioner.controller import Controller, Work
from provisioner.persistent_volume import Names
from provisioner.service import Service, Systemd
from tests.provisioner.program import until
from tests.provisioner.scripted_api import Answer, ScriptedApi, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.claims import Wanted
    from provisioner.cluster import Cluster
    from provisioner.events import Events
    from provisioner.lease import Lease
    from provisioner.orphans import Orphans
    from tests.provisioner.bench import Bench

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

    def outlive(self) -> None:
        """What the creation proved in the term before."""

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
def empty(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without a claim."""

    def answer(asked: Any) -> Answer:
        return Answer(held=5) if asked.watch else listed(1)

    with ScriptedApi(answer) as api:
        yield api.cluster(tmp_path)


def leading(cluster: Cluster, begun: Begun, creation: Any, alive: Callable[[], None]) -> Controller:
    """A controller with one worker that does what `creation` has begun."""
    nobody = cast("Any", None)
    events, orphans = cast("tuple[Events, Orphans]", (begun, begun))
    work = Work(creation, nobody, nobody, nobody, nobody, orphans, events)
    return Controller(cluster, work, Names().provisioner, 1, alive)


@pytest.fixture
def make(begun: Begun, empty: Cluster) -> Iterator[Callable[[Callable[[], None]], Controller]]:
    """Controllers at a cluster without a claim."""
    yield lambda alive: leading(empty, begun, begun, alive)
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


def cut_off(bench: Bench, asked: Wanted) -> None:
    """Have the volume made; of the PV nobody hears whether it is written."""

    def away(path: str, body: Any) -> Any:
        raise Away(f"no answer to {path}: {body['metadata']['name']}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.memory, "create", away)
        with pytest.raises(Away):
            bench.creation.run(asked)


def test_a_volume_that_was_kept_while_another_one_led_is_not_deleted_by_who_made_it(
    bench: Bench, empty: Cluster, begun: Begun
) -> None:
    """Policy Retain, then claim and PV deleted: so a volume is given to another namespace (tenancy.md)."""
    claim = bench.claim()
    asked = bench.wanted(claim, volThin="false")
    cut_off(bench, asked)
    first = bench.creation
    bench.begin("storage-01", "storage-02")  # another one leads
    bench.creation.seen(claim, gone=False, early=True)
    volume = bench.provision(claim, volThin="false")
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    bench.arrays["storage-01"].control.do("write", volume=volume["metadata"]["name"], data="months of it")
    bench.drop(claim)
    bench.memory.delete(f"{VOLUMES}/{volume['metadata']['name']}", volume["metadata"]["uid"])

    controller = leading(empty, begun, first, lambda: None)
    controller.start()
    try:
        until(lambda: not first.unfinished(), 20)
    finally:
        controller.stop(5)
    assert bench.names() == [volume["metadata"]["name"]]
    assert "stays on array storage-01: it was not made for this claim by this provisioner" in bench.text


def test_what_a_worker_is_still_at_is_not_proven_any_more_once_the_lease_is_lost(
    bench: Bench, empty: Cluster, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers are waited for, 75 s at the most, while the next one leads and gives the volume away."""
    claim = bench.claim()
    cut_off(bench, bench.wanted(claim))
    bench.drop(claim)
    array = bench.client.get(None)
    delete, at_it = array.delete_volume, threading.Event()
    controller = leading(empty, begun, bench.creation, lambda: None)

    def slow(*words: Any) -> bool:
        at_it.set()
        with contextlib.suppress(AssertionError):
            until(lambda: not bench.undertakings.get(uid).ours, 5)  # type: ignore[union-attr]
        return delete(*words)

    uid = claim["metadata"]["uid"]
    monkeypatch.setattr(array, "delete_volume", slow)
    controller._copies.start()
    controller._queue.add((controller_module.CLAIM, uid))
    controller._workers[0].start()
    assert at_it.wait(10)
    assert controller.stop(20, lost=True)
    assert bench.names() == [f"pvc-{uid}"]


def test_what_was_proven_in_an_earlier_term_gives_no_pv_the_policy_delete(bench: Bench) -> None:
    """Another one led, the volume was written, and etcd is restored to what it had before the PV."""
    claim = bench.claim()
    asked = bench.wanted(claim, volThin="false")
    cut_off(bench, asked)
    bench.creation.outlive()
    bench.creation.seen(claim, gone=False, early=True)
    bench.creation.run(asked)
    assert bench.volume(str(asked.spec.name))["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_what_could_not_be_begun_in_an_earlier_term_follows_its_class(bench: Bench) -> None:
    bench.fault(command="lsvdisk", before="connection", times=20)
    claim = bench.claim()
    asked = bench.wanted(claim, volThin="false")
    with pytest.raises(Fault):
        bench.creation.run(asked)
    bench.arrays["storage-01"].control.do("clear")
    bench.creation.outlive()
    bench.creation.run(asked)
    assert bench.volume(str(asked.spec.name))["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


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
