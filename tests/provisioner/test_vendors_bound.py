"""The vendor's PV that is deleted while it is bound: its volume goes with the claim, or is reported."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from provisioner.cluster import VOLUMES
from provisioner.persistent_volume import FINALIZER, MARK
from tests.provisioner.program import until

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench
    from tests.provisioner.world import World

PROTECTION = "kubernetes.io/pv-protection"
LONG_AGO = "2026-01-01T00:00:00Z"


def vendors(bench: Bench, claim: Object) -> Object:
    """A bound PV as the vendor's program made it: class parameters alone, no finalizer of ours, no mark."""
    volume = bench.provision(claim)
    volume["metadata"]["finalizers"] = [PROTECTION]
    del volume["metadata"]["annotations"][MARK]
    volume["spec"]["flexVolume"]["options"] = {"volPoolName": "Pool0"}
    volume["status"] = {"phase": "Bound"}
    return volume


def test_a_vendors_pv_that_is_deleted_while_it_is_bound_goes_with_its_volume_after_its_claim(
    bench: Bench,
) -> None:
    claim = bench.claim()
    volume = vendors(bench, claim)
    bench.deletion.run(volume)
    assert volume["metadata"]["finalizers"] == [PROTECTION, FINALIZER]
    assert not bench.deletion.concerns(volume), "once"
    volume["metadata"]["deletionTimestamp"] = LONG_AGO
    bench.deletion.run(volume)
    assert bench.names() == [volume["metadata"]["name"]]
    assert "The volume stays until the claim that uses it is gone" in bench.text
    bench.drop(claim)
    volume["status"] = {"phase": "Released"}
    bench.deletion.run(volume)
    assert (bench.names(), volume["metadata"]["finalizers"]) == ([], [PROTECTION])


def test_one_that_was_deleted_before_it_was_seen_is_reported_when_it_goes(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    volume = vendors(bench, bench.claim())
    volume["metadata"]["deletionTimestamp"] = LONG_AGO
    assert not bench.deletion.concerns(volume), "nobody can add a finalizer any more"
    volume["status"] = {"phase": "Released"}
    with caplog.at_level(logging.ERROR):
        bench.deletion.vanished(volume)
    assert f"Volume {volume['metadata']['name']} may be an orphan on the array" in caplog.text


def test_one_whose_volume_was_deleted_is_not_reported(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    claim = bench.claim()
    volume = vendors(bench, claim)
    bench.deletion.run(volume)
    bench.drop(claim)
    volume["status"] = {"phase": "Released"}
    last = bench.volume(volume["metadata"]["name"])
    bench.deletion.run(volume)
    last["metadata"] |= {"deletionTimestamp": LONG_AGO, "finalizers": [PROTECTION]}
    with caplog.at_level(logging.ERROR):
        bench.deletion.vanished(last)
    assert "orphan" not in caplog.text


@pytest.mark.kube
def test_a_true_api_server_lets_it_wait_for_its_claim(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    path = f"{VOLUMES}/{volume}"
    served.api.patch(path, {"metadata": {"finalizers": [PROTECTION], "annotations": {MARK: None}}})

    def finalizers() -> list[str]:
        return list((served.volume(volume) or {})["metadata"]["finalizers"])

    until(lambda: FINALIZER in finalizers(), what="it is taken up")
    served.api.delete(path, (served.volume(volume) or {})["metadata"]["uid"])
    served.says(volume, "VolumeDeletionWaits")
    served.delete_claim(name)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []
