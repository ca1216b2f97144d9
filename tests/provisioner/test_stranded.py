"""A PV that nobody will finish says so; one that another provisioner may finish is left to it for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from provisioner.persistent_volume import FINALIZER, PROVISIONED_BY
from provisioner.stranded import OTHERS_SECONDS, Stranded

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from provisioner.events import Event, Events

OURS = "inspur/instorage"


class Said:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 1000.0

    def say(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def stranded(said: Said) -> Stranded:
    return Stranded(cast("Events", said), OURS, lambda: said.now)


def volume(by: str | None = None, **metadata: Any) -> Object:
    note = {} if by is None else {PROVISIONED_BY: by}
    usual = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FINALIZER], "annotations": note}
    return {"metadata": {"name": "pvc-1", "uid": "u"} | usual | metadata, "spec": {"flexVolume": {}}}


def test_one_without_the_annotation_is_said_at_once_with_the_mend(stranded: Stranded, said: Said) -> None:
    assert stranded.concerns(volume())
    assert stranded.run(volume()) == 0
    (event,) = said.events
    assert (event.reason, event.normal) == ("VolumeDeletionStuck", False)
    assert f"kubectl annotate --overwrite pv pvc-1 {PROVISIONED_BY}={OURS}" in event.message


def test_one_of_another_name_is_said_when_nobody_finished_it_for_ten_minutes(
    stranded: Stranded, said: Said
) -> None:
    assert stranded.run(volume("inspur/before")) == OTHERS_SECONDS
    said.now += 100
    assert stranded.run(volume("inspur/before")) == OTHERS_SECONDS - 100
    assert not said.events
    said.now += OTHERS_SECONDS
    assert stranded.run(volume("inspur/before")) == 0
    assert f"it was provisioned by inspur/before, this provisioner is {OURS}" in said.events[0].message


def test_who_is_not_concerned(stranded: Stranded) -> None:
    assert not stranded.concerns(volume(OURS)), "it is ours: it is being deleted"
    assert not stranded.concerns(volume(deletionTimestamp=None)), "it stays"
    assert not stranded.concerns(volume(finalizers=["kubernetes.io/pv-protection"])), "it goes without us"
