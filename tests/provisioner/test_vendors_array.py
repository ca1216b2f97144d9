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


def test_one_that_no_array_has_lets_its_pv_go(bench: Bench) -> None:
    volume = vendors(bench)
    bench.client.get("storage-01")._cli.operate("rmvdisk", name_of(volume))  # type: ignore[attr-defined]
    bench.deletion.run(volume)
    assert not bench.memory.objects(VOLUMES)[0]
    assert "was deleted before" in bench.text


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
