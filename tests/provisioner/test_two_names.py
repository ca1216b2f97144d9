"""One array under two names: two hosts call it differently, and a claim's only volume is no second one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def name_of(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


@pytest.fixture
def hall(bench: Bench) -> Iterator[Bench]:
    """The array storage-01 is called hall-a by another host."""
    bench.arrays["hall-a"] = bench.arrays["storage-01"]
    yield bench
    del bench.arrays["hall-a"]


def beaten(bench: Bench, claim: Object, written: Callable[[Object], object] = lambda _: None) -> None:
    """Have the volume made here, and the PV written by the host that says hall-a; `written`: done to it."""
    bench.begin("storage-01")
    ours, wanted, create = bench.creation, bench.wanted(claim), bench.memory.create

    def later(path: str, body: Object) -> Object:
        bench.memory.create = create  # type: ignore[method-assign]
        bench.begin("hall-a")
        bench.creation.run(wanted)
        written(bench.volume(name_of(claim)))
        return create(path, body)

    bench.memory.create = later  # type: ignore[method-assign]
    ours.run(wanted)


def test_a_claims_only_volume_stays_when_another_host_calls_its_array_differently(hall: Bench) -> None:
    claim = hall.claim()
    beaten(hall, claim)
    assert hall.names() == [name_of(claim)]
    assert hall.volume(name_of(claim))["spec"]["flexVolume"]["options"]["storageName"] == "hall-a"
    assert "is deleted" not in hall.text


def test_a_pv_that_tells_no_uid_proves_no_second_volume(hall: Bench) -> None:
    claim = hall.claim()

    def untold(volume: Object) -> None:
        del volume["spec"]["flexVolume"]["options"]["volumeUid"]

    with pytest.raises(Fault, match="that PV does not tell its UID") as caught:
        beaten(hall, claim, untold)
    assert caught.value.code is Code.VOLUME_EXISTS
    assert hall.names() == [name_of(claim)]


def test_a_pv_that_is_made_anew_while_the_array_takes_its_time_keeps_its_volume(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PV about the other disk was removed, and the claim was given this one."""
    claim = bench.claim()
    bench.make("other", "storage-02")  # so that the two have different UIDs, which simulated arrays count
    bench.provision(claim, storageName="storage-02")
    about = bench.memory.kept.pop(f"{VOLUMES}/{name_of(claim)}")
    bench.begin("storage-01", "storage-02")
    array = bench.client.get("storage-01")
    delete, create = array.delete_volume, bench.memory.create

    def slow(*words: Any) -> bool:
        bench.memory.delete(f"{VOLUMES}/{name_of(claim)}", bench.volume(name_of(claim))["metadata"]["uid"])
        create(VOLUMES, about)
        return delete(*words)

    def later(path: str, body: Object) -> Object:
        create(path, about)
        return create(path, body)

    monkeypatch.setattr(array, "delete_volume", slow)
    monkeypatch.setattr(bench.memory, "create", later)
    with pytest.raises(Fault, match="the PV of its claim is gone, or another one by now"):
        bench.provision(claim)
    assert bench.names() == [name_of(claim)]
