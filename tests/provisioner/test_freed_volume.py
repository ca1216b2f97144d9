"""A PV that belongs to no claim yet, or not any more: freed by hand, or deleted before it was bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from provisioner.claims import PROVISIONER_NOTES
from provisioner.cluster import VOLUMES
from provisioner.controller import CLAIM, Controller, Work
from provisioner.growth import Growth
from provisioner.orphans import Orphans
from provisioner.persistent_volume import Names
from provisioner.rebinding import Rebinding
from provisioner.stranded import Stranded

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object
    from provisioner.events import Events
    from tests.provisioner.bench import Bench

OURS = Names().provisioner
LONG_AGO = "2026-01-01T00:00:00Z"


def name_of(volume: Object) -> str:
    return str(volume["metadata"]["name"])


@pytest.mark.parametrize(
    "left",
    [None, {"namespace": "default", "name": "data"}, {"namespace": "default", "name": "data", "uid": ""}],
    ids=["no claim", "a name", "a name and an empty UID"],
)
def test_a_volume_whose_claim_was_taken_off_by_hand_stays_while_its_pv_is_still_called_released(
    bench: Bench, left: Object | None
) -> None:
    volume = bench.released(bench.claim())
    volume["spec"]["claimRef"] = left
    bench.deletion.run(volume)
    assert bench.names() == [name_of(volume)]
    assert bench.volume(name_of(volume))


def test_a_pv_that_is_kept_for_a_name_stays_while_a_claim_of_that_name_is_there(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    claim = bench.claim()
    volume["spec"]["claimRef"].pop("uid")
    volume["status"] = {"phase": "Available"}
    volume["metadata"]["deletionTimestamp"] = LONG_AGO
    bench.deletion.run(volume)
    assert bench.names() == [name_of(volume)]
    assert volume["metadata"]["finalizers"]
    assert "The volume stays until the claim that uses it is gone" in bench.text
    bench.drop(claim)
    bench.deletion.run(volume)
    assert bench.names() == []


def deleted(bench: Bench, claim: Object, phase: str) -> Object:
    """Give a claim its PV, and have that deleted at once."""
    volume = bench.provision(claim)
    volume["status"] = {"phase": phase}
    volume["metadata"]["deletionTimestamp"] = LONG_AGO
    return volume


@pytest.mark.parametrize("phase", ["Pending", "Available", ""])
def test_a_pv_that_is_deleted_before_it_was_bound_goes_with_its_empty_volume(
    bench: Bench, phase: str
) -> None:
    volume = deleted(bench, bench.claim(), phase)
    bench.deletion.run(volume)
    assert bench.names() == []
    assert volume["metadata"]["finalizers"] == []


def test_one_that_the_pv_or_the_claim_calls_bound_stays(bench: Bench) -> None:
    bound = deleted(bench, bench.claim("one"), "Bound")
    named = deleted(bench, bench.claim("two"), "Pending")
    there = bench.memory.kept["/api/v1/namespaces/default/persistentvolumeclaims/two"]
    there["spec"]["volumeName"] = name_of(named)
    for volume in (bound, named):
        bench.deletion.run(volume)
        assert volume["metadata"]["finalizers"]
    assert bench.names() == sorted([name_of(bound), name_of(named)])


def served(controller: Controller) -> set[tuple[str, str]]:
    """Do what is to be done; return the keys of it."""
    keys = set()
    while (key := controller._queue.take(0)) is not None:
        keys.add(key)
        controller._handle(key)
    return keys


def test_its_claim_gets_another_one_by_itself(bench: Bench) -> None:
    cluster, events = cast("Cluster", bench.memory), cast("Events", bench)
    work = Work(
        bench.creation, bench.deletion, Stranded(events, OURS), Growth(bench.client, events),
        Rebinding(cluster, OURS), Orphans(bench.client), events,
    )  # fmt: skip
    controller = Controller(cluster, work, OURS, 1, lambda: None)
    classes, volumes, claims = controller._copies.all
    kind: Any = {"metadata": {"name": "thick", "uid": "uid-thick", "resourceVersion": "1"}}
    classes._put("uid-thick", kind | {"provisioner": OURS, "parameters": {"volPoolName": "Pool0"}})
    claim = bench.claim(storageClassName="thick")
    claim["metadata"]["annotations"] = {PROVISIONER_NOTES[0]: OURS}
    uid, name = claim["metadata"]["uid"], f"pvc-{claim['metadata']['uid']}"
    claims._put(uid, claim)
    assert served(controller) == {(CLAIM, uid)}
    first = bench.volume(name)
    first["status"] = {"phase": "Pending"}
    first["metadata"]["deletionTimestamp"] = LONG_AGO
    volumes._put(first["metadata"]["uid"], first)
    served(controller)
    assert (bench.names(), first["metadata"]["finalizers"]) == ([], [])

    del bench.memory.kept[f"{VOLUMES}/{name}"]
    volumes._put(first["metadata"]["uid"], None)
    assert served(controller) == {(CLAIM, uid)}
    assert bench.names() == [name]
    assert bench.volume(name)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
