"""One claim, one volume, whatever arrays and classes become between one try and the next."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from provisioner import begun
from provisioner.cluster import Away
from provisioner.orphans import Orphans

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def name_of(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def begin_anew(bench: Bench, claim: Object, *order: str, gone: tuple[str, ...] = ()) -> None:
    """Kill, and begin with these arrays in this order; the claim was there before."""
    bench.begin(*order, gone=gone)
    bench.creation.seen(claim, gone=False, early=True)


def made_without_pv(bench: Bench, claim: Object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the volume made on the default array, and nothing written of it."""
    with monkeypatch.context() as patch:
        patch.setattr(bench.creation, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.creation.run(bench.wanted(claim))


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_killed_after_mkvdisk_it_goes_on_there_when_another_array_is_the_default(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.claim()
    made_without_pv(bench, claim, monkeypatch)
    begin_anew(bench, claim, "storage-02", "storage-01")
    volume = bench.provision(claim)
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([name_of(claim)], [])
    assert volume["spec"]["flexVolume"]["options"]["storageName"] == "storage-01"


def test_killed_after_mkvdisk_it_goes_on_there_when_the_class_names_another_array(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.claim()
    made_without_pv(bench, claim, monkeypatch)
    begin_anew(bench, claim, "storage-01", "storage-02")
    bench.provision(claim, storageName="storage-02")
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([name_of(claim)], [])


def test_without_a_kill_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = bench.claim()
    made_without_pv(bench, claim, monkeypatch)
    bench.provision(claim, storageName="storage-02")
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([name_of(claim)], [])


def test_one_that_would_not_fit_any_more_is_refused_by_name_and_made_nowhere_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.claim()
    made_without_pv(bench, claim, monkeypatch)
    begin_anew(bench, claim, "storage-01", "storage-02")
    with pytest.raises(Fault, match="on array storage-01, but is in Pool0, Pool1 is asked for"):
        bench.provision(claim, storageName="storage-02", volPoolName="Pool1")
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([name_of(claim)], [])


def test_an_array_that_cannot_be_asked_makes_an_older_claim_wait(bench: Bench) -> None:
    claim = bench.claim()
    begin_anew(bench, claim, "storage-01", "storage-02", gone=("storage-02",))
    with pytest.raises(Fault, match=f"whether array storage-02 has volume {name_of(claim)}") as caught:
        bench.provision(claim)
    assert caught.value.code is Code.VOLUME_NOT_READY, "the healthy array is in no trouble"
    assert bench.names() == []
    begin_anew(bench, claim, "storage-01", "storage-02")
    bench.provision(claim)
    assert bench.names() == [name_of(claim)]


def test_a_claim_that_came_since_does_not_wait_for_a_dead_array(bench: Bench) -> None:
    claim = bench.claim()
    bench.begin("storage-01", "storage-02", gone=("storage-02",))
    bench.creation.seen(claim, gone=False, early=False)
    bench.provision(claim)
    assert bench.names() == [name_of(claim)]


def test_a_claim_that_was_served_and_is_unbound_again_gets_the_volume_that_it_had(bench: Bench) -> None:
    claim = bench.claim()
    volume = bench.provision(claim)
    bench.memory.delete(f"/api/v1/persistentvolumes/{name_of(claim)}", volume["metadata"]["uid"])
    bench.provision(claim, storageName="storage-02")  # etcd was restored to a state of before
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([name_of(claim)], [])


def test_two_volumes_of_one_claim_are_named_and_nothing_is_chosen(bench: Bench) -> None:
    claim = bench.claim()
    bench.make("other", "storage-02")  # so that the two have different UIDs, which simulated arrays count
    bench.make(name_of(claim), "storage-01")
    bench.make(name_of(claim), "storage-02")
    begin_anew(bench, claim, "storage-01", "storage-02")
    with pytest.raises(Fault, match=r"is on several arrays: storage-01 \(UID .*\) and storage-02"):
        bench.provision(claim)


@pytest.mark.slow
def test_a_command_that_may_still_be_carried_out_is_waited_for_before_another_array_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.claim()
    bench.fault(command="mkvdisk", before="connection", times=4)
    bench.fault(command="lsvdisk", before="connection", skip=2, times=20)
    with pytest.raises(Fault):
        bench.creation.run(bench.wanted(claim))
    bench.arrays["storage-01"].control.do("clear")
    with pytest.raises(Fault, match="was begun on array storage-01, whose answer was lost"):
        bench.provision(claim, storageName="storage-02")
    monkeypatch.setattr(begun, "LATE", 0.0)
    bench.provision(claim, storageName="storage-02")
    assert (bench.names("storage-01"), bench.names("storage-02")) == ([], [name_of(claim)])


def test_a_double_is_reported_by_the_array_that_it_is_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    claim = bench.claim()
    volume = bench.provision(claim)
    waiting = bench.claim("waiting")
    bench.make(name_of(claim), "storage-02")
    bench.make("pvc-left-over", "storage-02")
    bench.make(name_of(waiting), "storage-02")
    with caplog.at_level(logging.INFO, "provisioner.orphans"):
        for array in bench.arrays:
            Orphans(bench.client).run(array, lambda: [claim, waiting, volume])
    assert "Array storage-01 has 1 volume(s) pvc-*, 1 known here" in caplog.text
    assert "Array storage-02 has 3 volume(s) pvc-*, 1 known here" in caplog.text
    (double,) = [one.message for one in caplog.records if "made twice" in one.message]
    assert double.endswith(f": {name_of(claim)} (on storage-01)")
    (orphan,) = [one.message for one in caplog.records if "without PV and claim" in one.message]
    assert orphan.endswith(": pvc-left-over")


def beaten(bench: Bench, claim: Object, policy: str = "Delete") -> None:
    """Have the volume made on storage-01, and the PV written for one on storage-02 by another provisioner."""
    bench.make("other", "storage-02")  # so that the two have different UIDs, which simulated arrays count
    bench.begin("storage-01", "storage-02")
    ours, wanted, create = bench.creation, bench.wanted(claim, policy), bench.memory.create

    def later(path: str, body: Object) -> Object:
        bench.memory.create = create  # type: ignore[method-assign]
        bench.begin("storage-02", "storage-01")
        bench.creation.run(wanted)
        return create(path, body)

    bench.memory.create = later  # type: ignore[method-assign]
    ours.run(wanted)


def test_of_two_volumes_that_two_provisioners_made_at_once_the_one_without_a_pv_is_taken_back(
    bench: Bench,
) -> None:
    claim = bench.claim()
    beaten(bench, claim)
    assert bench.names("storage-01") == [], "an orphan that nobody speaks of"
    assert bench.names("storage-02") == ["other", name_of(claim)]
    assert bench.volume(name_of(claim))["spec"]["flexVolume"]["options"]["storageName"] == "storage-02"
    assert f"the new volume {name_of(claim)} on array storage-01 is deleted" in bench.text
    assert "made on array storage-01" not in bench.text.split("ProvisioningSucceeded", 1)[1]


def test_one_of_two_volumes_that_is_not_proven_to_be_new_stays_and_both_are_named(bench: Bench) -> None:
    claim = bench.claim()
    bench.make(name_of(claim))
    with pytest.raises(Fault, match=r"is a second one of this claim.* on array storage-02 \(UID") as caught:
        beaten(bench, claim)
    assert caught.value.code is Code.VOLUME_EXISTS
    assert bench.names("storage-01") == [name_of(claim)]


def test_one_of_two_volumes_stays_when_the_class_keeps_volumes(bench: Bench) -> None:
    claim = bench.claim()
    with pytest.raises(Fault, match="its class has the reclaim policy Retain"):
        beaten(bench, claim, "Retain")
    assert bench.names("storage-01") == [name_of(claim)]


def test_a_pv_whose_writing_was_not_answered_is_no_other_ones(bench: Bench) -> None:
    claim = bench.claim()
    create = bench.memory.create

    def lost(path: str, body: Object) -> Object:
        create(path, body)
        bench.memory.create = create  # type: ignore[method-assign]
        raise Away("no answer")

    bench.memory.create = lost  # type: ignore[method-assign]
    with pytest.raises(Away):
        bench.provision(claim)
    bench.provision(claim)
    assert bench.names() == [name_of(claim)]
    assert "is made on array storage-01" in bench.text
