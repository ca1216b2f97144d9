"""A provisioner that stands still before it writes a PV, and writes it when all is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def name_of(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def stands_still(bench: Bench, claim: Object, meanwhile: Callable[[], None]) -> None:
    """Serve a claim; what is done `meanwhile` comes between the last look and the writing of the PV."""
    ours, wanted, create = bench.creation, bench.wanted(claim), bench.memory.create

    def later(path: str, body: Object) -> Object:
        bench.memory.create = create  # type: ignore[method-assign]
        meanwhile()
        return create(path, body)

    bench.memory.create = later  # type: ignore[method-assign]
    ours.run(wanted)


def test_a_pv_that_comes_back_late_does_not_cost_the_volume_that_was_kept(bench: Bench) -> None:
    """Policy Retain, then claim and PV deleted: so a volume is given to another namespace (tenancy.md)."""
    claim = bench.claim()

    def served_and_kept() -> None:
        bench.begin("storage-01", "storage-02")  # another one leads
        volume = bench.provision(claim)
        volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
        bench.drop(claim)
        bench.memory.delete(f"{VOLUMES}/{name_of(claim)}", volume["metadata"]["uid"])

    stands_still(bench, claim, served_and_kept)
    volume = bench.volume(name_of(claim))
    volume["status"] = {"phase": "Released"}
    with pytest.raises(Fault, match=r"never been bound .* or its claim went while it was written") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == [name_of(claim)]
    assert f"The claim went while PV {name_of(claim)} was written" in bench.text


def test_a_pv_that_is_written_late_while_its_claim_waits_is_that_claims(bench: Bench) -> None:
    claim = bench.claim()
    stands_still(bench, claim, lambda: None)
    volume = bench.volume(name_of(claim))
    bench.drop(claim)
    volume["status"] = {"phase": "Released"}
    bench.deletion.run(volume)
    assert bench.names() == []
    assert "ProvisioningSucceeded" in bench.text
