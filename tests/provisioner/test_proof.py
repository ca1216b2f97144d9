"""What was on the array before is never deleted for a claim: only what this process proved to have made."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.tenancy.signature import SigningKey
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def name_of(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def taken_back(bench: Bench, claim: Object, policy: str = "Delete", **parameters: str) -> None:
    """Delete a claim whose volume was begun, and have it taken back."""
    bench.drop(claim)
    bench.creation.undo(bench.wanted(claim, policy, **parameters))


def lost(bench: Bench, claim: Object) -> None:
    """Have the volume made, and the array's answer and everything after it lost."""
    bench.fault(command="mkvdisk", after="connection")
    bench.fault(command="lsvdisk", before="connection", skip=2, times=20)
    with pytest.raises(Fault) as caught:
        bench.creation.run(bench.wanted(claim))
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    bench.arrays["storage-01"].control.do("clear")


def test_a_volume_that_does_not_fit_and_was_there_before_stays_when_the_claim_goes(bench: Bench) -> None:
    claim = bench.claim()
    bench.make(name_of(claim), size=5)
    with pytest.raises(Fault, match="is already on array storage-01"):
        bench.creation.run(bench.wanted(claim))
    taken_back(bench, claim)
    assert bench.names() == [name_of(claim)]
    assert f"volume {name_of(claim)} stays on array storage-01: it was not made for this claim" in bench.text


def test_a_volume_that_fits_and_was_there_before_stays_when_the_claim_goes(bench: Bench) -> None:
    claim = bench.claim()
    bench.make(name_of(claim))
    asked = bench.wanted(claim)
    bench.drop(claim)
    bench.creation.run(asked)
    assert bench.names() == [name_of(claim)]
    assert "stays on array storage-01" in bench.text


@pytest.mark.slow
def test_a_volume_whose_making_was_not_answered_is_taken_back(bench: Bench) -> None:
    claim = bench.claim()
    lost(bench, claim)
    assert bench.names() == [name_of(claim)]
    taken_back(bench, claim)
    assert bench.names() == []
    assert "its new volume is deleted" in bench.text


def made_and_then_no_room(bench: Bench, claim: Object) -> None:
    """Have the array make the volume, lose its answer, and be full for the second command."""
    bench.fault(command="mkvdisk", after="channel")
    bench.fault(command="lsvdisk", skip=2, empty=True)
    bench.fault(command="mkvdisk", skip=1, error="CMMVC8710E")
    with pytest.raises(Fault, match="does not fit on array storage-01"):
        bench.creation.run(bench.wanted(claim))
    assert bench.names() == [name_of(claim)]


def test_a_volume_that_came_although_its_pool_was_said_to_be_full_is_taken_back(bench: Bench) -> None:
    claim = bench.claim()
    made_and_then_no_room(bench, claim)
    taken_back(bench, claim)
    assert bench.names() == [], "an orphan that nobody speaks of"
    assert "its new volume is deleted" in bench.text


def test_a_volume_that_came_although_its_pool_was_said_to_be_full_is_the_claims_only_one(
    bench: Bench,
) -> None:
    claim = bench.claim()
    made_and_then_no_room(bench, claim)
    volume = bench.provision(claim, storageName="storage-02")
    assert (bench.names(), bench.names("storage-02")) == ([name_of(claim)], [])
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete", "it is proven to be new"


@pytest.mark.slow
def test_after_a_restart_nothing_is_proven_and_the_volume_is_left_and_named(bench: Bench) -> None:
    claim = bench.claim()
    lost(bench, claim)
    bench.begin("storage-01")
    asked = bench.wanted(claim)
    bench.drop(claim)
    bench.creation.run(asked)
    assert bench.names() == [name_of(claim)]
    assert "stays on array storage-01" in bench.text


def made_without_a_pv(bench: Bench, claim: Object) -> None:
    """Have a claim's volume made; its PV cannot be written."""
    asked = bench.wanted(claim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.memory, "create", refusing)
        with pytest.raises(ConnectionError):
            bench.creation.run(asked)


def test_another_volume_of_that_name_made_meanwhile_stays(bench: Bench) -> None:
    claim = bench.claim()
    made_without_a_pv(bench, claim)
    cast("Any", bench.client.get(None))._cli.operate("rmvdisk", name_of(claim))
    bench.make(name_of(claim))
    taken_back(bench, claim)
    assert bench.names() == [name_of(claim)]


def test_one_that_was_renamed_before_it_had_a_pv_stays_and_is_told(bench: Bench) -> None:
    claim = bench.claim()
    made_without_a_pv(bench, claim)
    cast("Any", bench.client.get(None))._cli.operate("chvdisk", "-name", "kept", name_of(claim))
    taken_back(bench, claim)
    assert bench.names() == ["kept"]
    assert "it is called «kept» there by now" in bench.text


def refusing(path: str, body: Object) -> Object:
    raise ConnectionError(path, body)


def test_policy_retain_holds_for_a_volume_whose_claim_went_before_it_had_a_pv(bench: Bench) -> None:
    claim = bench.claim()
    asked = bench.wanted(claim, "Retain")
    bench.drop(claim)
    bench.creation.run(asked)
    assert bench.names() == [name_of(claim)]
    assert "its class has the reclaim policy Retain" in bench.text


def test_a_volume_that_a_claim_names_is_not_taken_back(bench: Bench) -> None:
    claim = bench.claim()
    asked = bench.wanted(claim)
    bench.drop(claim)
    bench.claim("restored", volumeName=name_of(claim))
    bench.creation.run(asked)
    assert bench.names() == [name_of(claim)]
    assert "it is wanted by claim default/restored" in bench.text


def test_a_written_volume_that_a_claim_finds_is_kept_by_its_pv(bench: Bench) -> None:
    claim = bench.claim(resources={"requests": {"storage": "5Gi"}})
    bench.make(name_of(claim), size=5)  # thick: nobody can say that it is empty
    volume = bench.provision(claim)
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert f"PersistentVolumeClaim VolumeKept: Volume {name_of(claim)} was on array storage-01" in bench.text


@pytest.mark.parametrize("written", ["", "the first megabytes of a terabyte"])
def test_a_thin_volume_that_a_claim_finds_is_kept_however_little_is_on_it(bench: Bench, written: str) -> None:
    """It may be another cluster's, of the same claim: that one writes when this one has looked."""
    claim = bench.claim(resources={"requests": {"storage": "1Ti"}})
    made_without_a_pv(bench, claim)
    if written:
        bench.arrays["storage-01"].control.do("write", volume=name_of(claim), data=written)
    bench.begin("storage-01")
    assert bench.provision(claim)["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert "PersistentVolumeClaim VolumeKept" in bench.text


def test_a_cluster_that_was_made_from_a_snapshot_of_another_never_deletes_that_ones_volume(
    bench: Bench,
) -> None:
    """The claim of the snapshot has the UID of the true one, and so the name of its volume."""
    claim = bench.claim()
    before = copy.deepcopy(bench.memory.kept)
    bench.provision(claim)
    bench.memory.kept = before
    bench.key = SigningKey.load(bench.directory / "key-of-the-drill")
    bench.begin("storage-01", "storage-02", keys=(bench.key.public_line,))
    bench.creation.seen(claim, gone=False, early=True)
    volume = bench.released(claim)
    bench.deletion.run(volume)
    assert bench.names() == [name_of(claim)]
    assert bench.volume(name_of(claim))


def test_a_new_thick_volume_follows_its_class(bench: Bench) -> None:
    volume = bench.provision(bench.claim(), volThin="false")
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_one_empty_answer_does_not_make_a_volume_new(bench: Bench) -> None:
    claim = bench.claim()
    bench.make(name_of(claim))
    bench.fault(command="lsvdisk", empty=True)
    asked = bench.wanted(claim)
    bench.drop(claim)
    bench.creation.run(asked)
    assert bench.names() == [name_of(claim)]


@pytest.mark.slow
def test_a_volume_that_may_still_come_is_waited_for(bench: Bench) -> None:
    claim = bench.claim()
    lost(bench, claim)
    cast("Any", bench.client.get(None))._cli.operate("rmvdisk", name_of(claim))  # not carried out yet
    with pytest.raises(Fault, match="may still come"):
        taken_back(bench, claim)
    bench.make(name_of(claim))
    taken_back(bench, claim)
    assert bench.names() == []
