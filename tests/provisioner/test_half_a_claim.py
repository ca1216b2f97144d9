"""A PV whose claimRef names no claim, or only part of one: nobody can tell whose its volume is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.persistent_volume import FINALIZER, PROVISIONED_BY, claim_path
from provisioner.rebinding import Rebinding
from tests.provisioner.program import until

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object
    from tests.provisioner.bench import Bench
    from tests.provisioner.world import World


@pytest.mark.parametrize("left_out", ["name", "namespace"])
def test_its_volume_stays_and_the_event_says_what_is_left_out(bench: Bench, left_out: str) -> None:
    volume = bench.released(bench.claim())
    del volume["spec"]["claimRef"][left_out]
    with pytest.raises(Fault, match=f"its claimRef has no {left_out}, so that nobody can tell") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == [volume["metadata"]["name"]]
    volume["spec"]["claimRef"][left_out] = {"name": "data", "namespace": "default"}[left_out]
    bench.deletion.run(volume)
    assert bench.names() == []


@pytest.mark.parametrize("left", [{"uid": "u"}, {"namespace": "default"}, {"name": "data"}])
def test_a_claim_that_names_it_is_told_how_to_be_bound(bench: Bench, left: dict[str, Any]) -> None:
    volume = bench.released(bench.claim())
    volume["spec"]["claimRef"] = left | {"uid": "of-before"}
    claim = bench.claim(volumeName=volume["metadata"]["name"])
    claim["status"] = bench.memory.kept[claim_at(claim)]["status"] = {"phase": "Pending"}
    rebinding = Rebinding(cast("Cluster", bench.memory), "inspur/instorage")
    with pytest.raises(Fault, match=r"belonged to claim .*\?.*UID of-before.*kubectl patch pv"):
        rebinding.run(claim, volume)


def claim_at(claim: Object) -> str:
    metadata = claim["metadata"]
    return claim_path({"spec": {"claimRef": metadata}})


def test_a_true_api_server_takes_one_and_it_ends_when_it_is_completed(served: World) -> None:
    flex = {"driver": "inspur/instorage-flexvolume", "options": {"storageName": "storage-01"}}
    name = f"half-{served.number}"
    metadata = {
        "name": name, "finalizers": [FINALIZER], "annotations": {PROVISIONED_BY: served.provisioner},
    }  # fmt: skip
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "flexVolume": flex,
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "default", "uid": "of-before"},
    }
    served.run(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -intier off")
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
    made = served.api.create(VOLUMES, body)
    path = f"{VOLUMES}/{name}"
    served.api.delete(path, made["metadata"]["uid"])
    served.says(name, "its claimRef has no name, so that nobody can tell")
    assert served.names() == [name]
    served.api.patch(path, {"spec": {"claimRef": None}})
    until(lambda: served.volume(name) is None, what="the PV can go, without its volume: it is a copy")
    assert served.names() == [name]
