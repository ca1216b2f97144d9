"""No object of the cluster, whoever made it, ends a thread of the provisioner or keeps it from the others.

The objects are of the shapes that an API server lets through: quantities of any size in any notation, fields
left out, claimRefs by hand, classes and drivers of anybody. A sample of them is tried with a real API server
in test_strange_claims.
"""

from __future__ import annotations

import copy
import itertools
import logging
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instorage.wire.fault import Code, Fault
from provisioner.census import Registrar
from provisioner.controller import ARRAY, CLAIM, Controller, Work
from provisioner.deletion import Deletion
from provisioner.growth import Growth
from provisioner.persistent_volume import FINALIZER, PROVISIONED_BY, Names
from provisioner.rebinding import Rebinding
from provisioner.stranded import Stranded
from provisioner.wanting import Wanting

if TYPE_CHECKING:
    from provisioner.arrays import Arrays
    from provisioner.cluster import Cluster, Object
    from provisioner.creation import Creation
    from provisioner.events import Event, Events
    from provisioner.orphans import Orphans

OURS = Names().provisioner
NOTE = "volume.beta.kubernetes.io/storage-provisioner"
NUMBERS = itertools.count(1)
SIZES = st.sampled_from(
    ("1Gi", "1Ei", "8Ei", "7E", "9223372036854775807", "1m", "1n", "999999u", "1e3", "1E3", "1e18", "0", "1k")
)  # fmt: skip
WORDS = st.sampled_from(("", "a", OURS, "other/one", "Ünïcode", "x" * 300, "thin", "uid-claim"))
NAMES = st.sampled_from(("a", "pvc-1", "x" * 253, "a.b-c", "0"))


def holding(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any choice of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def typed(spec: st.SearchStrategy[Any], status: st.SearchStrategy[Any], **more: Any) -> Any:
    metadata = st.fixed_dictionaries(
        {"name": NAMES, "uid": st.sampled_from(("u1", "u2", "uid-claim")), "resourceVersion": NAMES},
        optional={
            "namespace": NAMES,
            "annotations": st.dictionaries(st.sampled_from((NOTE, PROVISIONED_BY, "a/b")), WORDS),
            "deletionTimestamp": st.just("2026-01-01T00:00:00Z"),
            "finalizers": st.lists(st.sampled_from((FINALIZER, "other/one"))),
            "managedFields": st.just([{}]),
        },
    )
    return st.fixed_dictionaries({"metadata": metadata, "spec": spec}, optional={"status": status, **more})


AMOUNTS = holding(storage=SIZES, other=SIZES)
CLAIMS = typed(
    holding(
        volumeName=NAMES, storageClassName=WORDS, volumeMode=st.sampled_from(("Block", "Filesystem")),
        accessModes=st.lists(st.sampled_from(("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"))),
        resources=holding(requests=AMOUNTS, limits=AMOUNTS), selector=st.just({}),
        dataSource=st.just({"a": 1}),
    ),
    holding(phase=st.sampled_from(("Pending", "Bound", "Lost")), capacity=AMOUNTS, conditions=st.just([{}])),
)  # fmt: skip
REFERENCES = holding(uid=st.sampled_from(("u1", "uid-claim")), name=NAMES, namespace=NAMES, kind=WORDS)
VOLUMES = typed(
    holding(
        capacity=AMOUNTS, claimRef=REFERENCES, storageClassName=WORDS,
        persistentVolumeReclaimPolicy=st.sampled_from(("Delete", "Retain", "Recycle")),
        flexVolume=holding(driver=WORDS, options=st.dictionaries(WORDS, WORDS)), nfs=st.just({}),
    ),
    holding(phase=st.sampled_from(("Available", "Bound", "Released", "Failed"))),
)  # fmt: skip
CLASSES = typed(
    st.just({}),
    st.just({}),
    provisioner=WORDS,
    parameters=st.dictionaries(WORDS, WORDS),
    volumeBindingMode=WORDS,
    mountOptions=st.lists(WORDS),
)


class Around:
    """What is around the controller: arrays that are away, an API server that has nothing, events by word."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.alive = True

    def say(self, event: Event) -> None:
        self.said.append(event)

    def get(self, _what: str | None) -> Any:
        raise Fault(Code.ARRAY_UNREACHABLE, "Array storage-01 does not answer: see to it.")

    def arrays(self) -> list[str]:
        return ["storage-01"]

    def run(self, *_: Any) -> None:
        """The creation of a volume, or a look for orphans."""

    def begun(self, _uid: str) -> None:
        return None

    def unfinished(self) -> list[str]:
        return []

    def seen(self, _claim: Object, *, gone: bool, early: bool) -> None:
        """What the creation remembers of claims."""


def controller(around: Around) -> Controller:
    arrays, events, cluster = cast("Arrays", around), cast("Events", around), cast("Cluster", around)
    work = Work(
        cast("Creation", around),
        Deletion(cluster, arrays, events, Names(), Wanting(Registrar(cluster), arrays, events, "key")),
        Stranded(events, OURS),
        Growth(arrays, events),
        Rebinding(cluster, OURS),
        cast("Orphans", around),
        events,
    )
    return Controller(cast("Cluster", around), work, OURS, 4, lambda: None)


def served(found: Controller) -> bool:
    """Say whether a claim as they are every day is still worked on."""
    classes, _, claims = found._copies.all
    uid, parameters = f"uid-{next(NUMBERS)}", {"volPoolName": "Pool0"}
    plain = {"name": "plain", "uid": "uid-plain", "resourceVersion": uid}
    classes._put("uid-plain", {"metadata": plain, "provisioner": OURS, "parameters": parameters})
    names = {"name": "p", "namespace": "d", "uid": uid, "resourceVersion": "1"}
    metadata = {**names, "annotations": {NOTE: OURS}}
    spec = {"storageClassName": "plain", "resources": {"requests": {"storage": "1Gi"}}}
    claims._put(uid, {"metadata": metadata, "spec": spec})
    keys = set()
    while (key := found._queue.take(0)) is not None:
        keys.add(key)
        found._handle(key)
    return (CLAIM, uid) in keys


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(
        st.tuples(st.just(0), CLASSES) | st.tuples(st.just(1), VOLUMES) | st.tuples(st.just(2), CLAIMS),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_in_the_cluster_a_plain_claim_is_served(
    objects: list[tuple[int, Object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    found = controller(Around())
    for kind, one in objects:
        found._copies.all[kind]._put(one["metadata"]["uid"], copy.deepcopy(one))
    assert served(found)
    assert "does not understand" not in caplog.text, "it is one of the shapes that are looked for"
    for kind, one in objects:
        found._copies.all[kind]._put(one["metadata"]["uid"], None)
    assert "does not understand" not in caplog.text


@pytest.mark.parametrize("one", [{}, {"metadata": {}}, {"metadata": None}, {"metadata": {"uid": "u"}}])
def test_what_is_no_object_is_said_and_left_out(one: Object, caplog: pytest.LogCaptureFixture) -> None:
    found = controller(Around())
    for reflection in found._copies.all:
        reflection._put(str((one.get("metadata") or {}).get("uid") or ""), one)
    assert caplog.text.count("is left alone: this program does not understand it") == 3
    assert served(found)


def bound(size: str, has: str = "1Gi") -> Object:
    return {
        "metadata": {"name": "c", "namespace": "d", "uid": "uid-c", "resourceVersion": "1"},
        "spec": {"volumeName": "pvc-c", "resources": {"requests": {"storage": size}}},
        "status": {"phase": "Bound", "capacity": {"storage": has}},
    }


def ours() -> Object:
    note = {PROVISIONED_BY: OURS}
    return {
        "metadata": {"name": "pvc-c", "uid": "uid-v", "resourceVersion": "1", "annotations": note},
        "spec": {"claimRef": {"uid": "uid-c", "name": "c", "namespace": "d"}, "flexVolume": {}},
        "status": {"phase": "Bound"},
    }


@pytest.mark.parametrize("size", ["1Ei", "8Ei", "9223372036854775807"])
def test_a_claim_of_ours_that_asks_for_more_than_any_volume_has_is_told_so_once(size: str) -> None:
    around = Around()
    found = controller(around)
    _, volumes, claims = found._copies.all
    volumes._put("uid-v", ours())
    claims._put("uid-c", bound(size))
    assert served(found)
    (event,) = [event for event in around.said if event.reason == "ExpansionBlocked"]
    assert f"cannot grow to {size} now" in event.message
    again = bound(size)
    again["metadata"]["resourceVersion"] = "2"
    claims._put("uid-c", again)
    assert served(found)
    assert len([event for event in around.said if event.reason == "ExpansionBlocked"]) == 1


def test_a_foreign_claim_that_asks_for_that_is_nothing_to_us() -> None:
    around = Around()
    found = controller(around)
    found._copies.all[2]._put("uid-c", bound("1Ei", "1Ei"))
    found._copies.all[2]._put(
        "uid-c", bound("8Ei", "1Ei") | {"metadata": bound("1")["metadata"] | {"resourceVersion": "2"}}
    )
    assert served(found)
    assert around.said == []


def test_a_key_about_which_not_even_a_complaint_is_possible_keeps_no_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = controller(Around())

    def broken(*_: Any) -> None:
        raise KeyError("metadata")

    monkeypatch.setattr(found, "_look", broken)
    monkeypatch.setattr(found, "_complain", broken)
    found._queue.add((ARRAY, "storage-01"))
    key = found._queue.take(0)
    assert key is not None
    with caplog.at_level(logging.ERROR):
        found._handle(key)
    assert "nothing can be said on the object" in caplog.text
    found._queue.add(key)
    assert found._queue.take(0) == key, "it is looked at again"
