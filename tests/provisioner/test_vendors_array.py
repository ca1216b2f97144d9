"""The vendor's PVs name no array: their volumes are looked for on all, not on the first one of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def vendors(bench: Bench) -> Object:
    """A released PV with class parameters alone; its volume is on storage-01, the first entry of then."""
    volume = bench.released(bench.claim())
    volume["spec"]["flexVolume"]["options"] = {"volPoolName": "Pool0"}
    return volume


def name_of(volume: Object) -> str:
    return str(volume["metadata"]["name"])


def test_its_volume_is_deleted_where_it_is_after_another_array_became_the_first(bench: Bench) -> None:
    volume = vendors(bench)
    bench.begin("storage-02", "storage-01")
    bench.deletion.run(volume)
    assert bench.names("storage-01") == []
    assert not bench.memory.objects(VOLUMES)[0]
    assert f"Volume {name_of(volume)} on array storage-01 is deleted." in bench.text


def test_it_waits_for_an_array_that_cannot_be_asked_and_is_not_said_to_be_gone(bench: Bench) -> None:
    volume = vendors(bench)
    bench.begin("storage-02", "storage-01", gone=("storage-01",))
    for _ in range(2):
        with pytest.raises(Fault, match=r"names no array .* and array storage-01 cannot be asked") as caught:
            bench.deletion.run(volume)
        assert caught.value.code is Code.VOLUME_NOT_READY, "the first array is in no trouble"
    assert bench.volume(name_of(volume))
    bench.begin("storage-02", "storage-01")
    bench.deletion.run(volume)
    assert (bench.names("storage-01"), bench.memory.objects(VOLUMES)[0]) == ([], [])


def test_of_two_volumes_of_its_name_none_is_chosen(bench: Bench) -> None:
    volume = vendors(bench)
    bench.make("other", "storage-02")  # so that the two have different UIDs, which simulated arrays count
    bench.make(name_of(volume), "storage-02")
    with pytest.raises(Fault, match=r"it is on several: storage-01 \(UID .*\) and storage-02") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names("storage-01") == [name_of(volume)]
    assert name_of(volume) in bench.names("storage-02")


def test_one_that_no_array_has_is_kept_until_its_pv_is_deleted_by_hand(bench: Bench) -> None:
    """Its array may have left the configuration: nobody can tell."""
    volume = vendors(bench)
    bench.begin("storage-02")
    with pytest.raises(Fault, match="tells no UID, and its volume is on no array of the configuration"):
        bench.deletion.run(volume)
    assert bench.volume(name_of(volume))
    assert bench.names("storage-01") == [name_of(volume)]
    volume["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.deletion.run(volume)
    assert volume["metadata"]["finalizers"] == []
    assert "was deleted before" not in bench.text


def test_one_whose_deletion_was_killed_before_its_pv_went_lets_it_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = vendors(bench)
    with monkeypatch.context() as patch:
        patch.setattr(bench.deletion, "_let_go", None)
        with pytest.raises(TypeError):
            bench.deletion.run(volume)
    assert (bench.names("storage-01"), bool(bench.volume(name_of(volume)))) == ([], True)
    bench.begin("storage-01", "storage-02")
    bench.deletion.run(volume)
    assert not bench.memory.objects(VOLUMES)[0]
    assert "was deleted before" in bench.text


def test_one_for_an_as13000_is_never_said_to_be_deleted(bench: Bench) -> None:
    volume = vendors(bench)
    volume["spec"]["flexVolume"]["options"] = {"devKind": "share", "dataPool": "p", "sharePoolName": "x"}
    with pytest.raises(Fault, match="its PV is for an AS13000") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_SUPPORTED
    assert bench.names("storage-01") == [name_of(volume)]
    volume["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.deletion.run(volume)
    assert volume["metadata"]["finalizers"] == []
    assert bench.names("storage-01") == [name_of(volume)]
    assert "PersistentVolume VolumeKept" in bench.text


def swapped(bench: Bench, *, gone: tuple[str, ...] = ()) -> None:
    """Give each array the name of the other one."""
    arrays = dict(bench.arrays)
    bench.arrays |= {"storage-01": arrays["storage-02"], "storage-02": arrays["storage-01"]}
    bench.begin("storage-01", "storage-02", gone=gone)
    bench.arrays |= arrays


def test_a_pv_whose_arrays_name_another_array_has_by_now_does_not_go_without_its_volume(
    bench: Bench,
) -> None:
    volume = bench.released(bench.claim())
    swapped(bench, gone=("storage-02",))
    with pytest.raises(Fault, match=r"names array storage-01, which has no such volume.*storage-02 cannot"):
        bench.deletion.run(volume)
    assert bench.volume(name_of(volume))
    swapped(bench)
    bench.deletion.run(volume)
    assert bench.names("storage-01") == [], "by its UID"
    assert f"Volume {name_of(volume)} on array storage-02 is deleted." in bench.text


def test_a_namesake_on_the_array_of_another_name_is_not_deleted(bench: Bench) -> None:
    bench.make("other")  # so that the two have different UIDs, which simulated arrays count
    volume = bench.released(bench.claim())
    bench.make(name_of(volume), "storage-02")
    bench.client.get("storage-01")._cli.operate("rmvdisk", name_of(volume))  # type: ignore[attr-defined]
    bench.deletion.run(volume)
    assert bench.names("storage-02") == [name_of(volume)]
    assert not bench.memory.objects(VOLUMES)[0]


def test_one_that_was_renamed_on_another_array_is_kept(bench: Bench) -> None:
    volume = vendors(bench)
    array = bench.client.get("storage-01")
    there = array.find_volume(name_of(volume))  # type: ignore[arg-type]
    assert there is not None
    volume["spec"]["flexVolume"]["options"]["volumeUid"] = str(there.uid)
    array._cli.operate("chvdisk", "-name", "kept", name_of(volume))  # type: ignore[attr-defined]
    bench.begin("storage-02", "storage-01")
    with pytest.raises(Fault, match="is called «kept» on array storage-01 now"):
        bench.deletion.run(volume)
    assert bench.names("storage-01") == ["kept"]
