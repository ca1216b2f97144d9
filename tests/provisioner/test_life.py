"""A claim's life: volume and PV, binding, and deletion by each policy, as a user of the cluster sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.tenancy.grant import Grant
from instorage.tenancy.signature import SigningKey, verified
from provisioner.cluster import VOLUMES
from provisioner.persistent_volume import FINALIZER
from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
GIB = 1 << 30


def test_a_claim_gets_a_volume_and_is_bound(served: World) -> None:
    name = served.claim(served.storage_class(), "2Gi")
    volume = served.bound(name)
    claim = served.get_claim(name)
    assert volume["metadata"]["name"] == f"pvc-{claim['metadata']['uid']}"
    assert served.names() == [volume["metadata"]["name"]]
    assert volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == served.provisioner
    assert FINALIZER in volume["metadata"]["finalizers"]
    spec = volume["spec"]
    assert spec["capacity"] == {"storage": "2Gi"}
    assert spec["accessModes"] == ["ReadWriteOnce"]
    assert spec["persistentVolumeReclaimPolicy"] == "Delete"
    assert "mountOptions" not in spec
    assert spec["volumeMode"] == "Filesystem"
    assert spec["flexVolume"]["driver"] == "inspur/instorage-flexvolume"
    assert spec["flexVolume"]["fsType"] == "ext4"
    reasons = [event["reason"] for event in served.events(name)]
    assert {"Provisioning", "ProvisioningSucceeded"} <= set(reasons)


def test_the_volume_is_signed_for_its_namespace_and_the_line_is_printed(served: World) -> None:
    volume = served.bound(served.claim(served.storage_class()))
    options = volume["spec"]["flexVolume"]["options"]
    grant = Grant.from_options(volume["metadata"]["name"], options)
    (on_array,) = served.do("volumes")
    assert grant == Grant(on_array["name"], on_array["uid"].lower(), "storage-01", "default")
    line = SigningKey.load(served.programs[0].state / "volume.key").public_line
    assert line in served.programs[0].log
    assert verified([line], grant, options["signature"])


def test_the_command_is_the_vendors_for_each_kind_of_volume(served: World) -> None:
    pools = {"volPoolName": "Pool0", "volAuxPoolName": "Pool1"}
    wanted = {
        "-mdiskgrp Pool1 -intier off": {"volPoolName": "Pool1"},
        "-mdiskgrp Pool1 -rsize 2% -warning 80% -autoexpand -grainsize 256 -intier off": {
            "volPoolName": "Pool1", "volThin": "true", "volThinResize": "2", "volThinGrainSize": "256",
            "volThinWarning": "80",
        },
        "-mdiskgrp Pool0 -rsize 2% -autoexpand -compressed -intier on": {
            "volPoolName": "Pool0", "volCompress": "true", "volInTier": "true",
        },
        "-copies 2 -mdiskgrp Pool0:Pool1 -intier off": pools | {"volLevel": "mirror"},
        "-pool Pool0:Pool1 -iogrp 0:1": pools | {"volLevel": "aa", "volIOGrp": "0", "volAuxIOGrp": "1"},
    }  # fmt: skip
    claims = {served.claim(served.storage_class(parameters)): words for words, parameters in wanted.items()}
    for claim, words in claims.items():
        name = served.bound(claim)["metadata"]["name"]
        made = [line for line in served.commands() if line.split()[1] in ("mkvdisk", "mkvolume")]
        (line,) = [line for line in made if name in line]
        assert line.endswith(f"-name {name} -size 1 -unit gb {words}"), line


def test_a_claim_below_a_gib_gets_a_gib_and_is_told(served: World) -> None:
    name = served.claim(served.storage_class(), "64Mi")
    assert served.bound(name)["spec"]["capacity"] == {"storage": "1Gi"}
    served.says(name, "64Mi were asked for; the array gives whole GiB")


def test_a_deleted_claim_takes_its_volume_along(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.delete_claim(name)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []
    served.says(volume, "VolumeDeleted")


def test_policy_retain_keeps_the_volume(served: World) -> None:
    name = served.claim(served.storage_class(reclaimPolicy="Retain"))
    volume = served.bound(name)
    served.delete_claim(name)
    until(lambda: phase(served, volume["metadata"]["name"]) == "Released", what="the PV is released")
    served.api.delete(f"{VOLUMES}/{volume['metadata']['name']}", volume["metadata"]["uid"])
    until(lambda: served.volume(volume["metadata"]["name"]) is None, what="the PV is gone")
    assert served.names() == [volume["metadata"]["name"]]


def test_a_volume_deleted_while_bound_leaves_nothing_on_the_array(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)
    path = f"{VOLUMES}/{volume['metadata']['name']}"
    served.api.delete(path, volume["metadata"]["uid"])
    served.says(volume["metadata"]["name"], "stays until the claim that uses it is gone")
    assert served.names() == [volume["metadata"]["name"]]
    served.delete_claim(name)
    until(lambda: served.api.get(path) is None, what="the PV is gone")
    assert served.names() == []


def test_a_volume_of_the_vendors_provisioner_is_deleted_too(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    old = {"metadata": {"finalizers": ["kubernetes.io/pv-protection"]}}
    served.api.patch(f"{VOLUMES}/{volume}", old)
    served.delete_claim(name)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []


def test_a_volume_that_is_still_mapped_waits_and_names_the_host(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    run = served.run
    run("mcsop mkhost -iscsiname iqn.2020-01.org.example:n1 -name iscsi-n1")
    run(f"mcsop mkvdiskhostmap -host iscsi-n1 {volume}")
    served.delete_claim(name)
    served.says(volume, "it is mapped to iscsi-n1")
    assert served.names() == [volume]
    run(f"mcsop rmvdiskhostmap -host iscsi-n1 {volume}")
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []


def test_another_volume_under_the_old_name_is_not_deleted(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.run(f"mcsop rmvdisk {volume}")
    served.run(f"mcsop mkvdisk -name {volume} -size 1 -unit gb -mdiskgrp Pool0 -intier off")
    served.delete_claim(name)
    served.says(volume, "Somebody made another volume of that name")
    assert served.names() == [volume]


def test_a_claim_that_waits_for_its_first_pod_is_made_when_a_node_is_chosen(served: World) -> None:
    class_name = served.storage_class(volumeBindingMode="WaitForFirstConsumer")
    name = served.claim(class_name)
    other = served.claim(served.storage_class())
    served.bound(other)
    assert len(served.names()) == 1
    notes = {
        "volume.kubernetes.io/selected-node": "node1",
        "volume.beta.kubernetes.io/storage-provisioner": served.provisioner,
    }
    served.api.patch(served.claim_path(name), {"metadata": {"annotations": notes}})
    until(lambda: len(served.names()) == 2, what="the volume is made")


def phase(world: World, volume: str) -> str:
    found = world.volume(volume)
    return str(found["status"]["phase"]) if found else ""
