"""What cannot be given is said in an event on the claim, with the sentence that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import CLASSES
from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
PARAMETERS = {
    "volTihn": ("true", "Parameter volTihn is not known: did you mean volThin?"),
    "volLevel": ("raid", "Parameter volLevel is 'raid': allowed are basic, mirror, aa"),
    "volThin": ("yes", "Parameter volThin is 'yes': allowed are true and false"),
    "volThinGrainSize": ("48", "Parameter volThinGrainSize is '48': allowed are 32, 64, 128, 256"),
    "volThinWarning": ("0", "Parameter volThinWarning is '0': allowed are 1 to 99"),
    "volThinResize": ("101", "Parameter volThinResize is '101': allowed are 0 to 100"),
    "volAuxPoolName": ("Pool1", "Parameter volAuxPoolName is for volLevel mirror or aa"),
    "provisioner/fsType": ("ntfs", "Parameter provisioner/fsType is 'ntfs': allowed are ext4, ext3, xfs"),
    "dataPool": ("p", "Parameter dataPool is for an AS13000"),
    "storageName": ("nowhere", "Array 'nowhere' is not in"),
    "volPoolName": ("Pool7", "Pool7"),
}


def test_each_wrong_parameter_is_named_with_its_value_and_what_is_allowed(served: World) -> None:
    expected = {}
    for key, (value, sentence) in PARAMETERS.items():
        name = served.claim(served.storage_class({"volPoolName": "Pool0"} | {key: value}))
        expected[name] = sentence
    for name, sentence in expected.items():
        served.says(name, sentence)
        (failed,) = [e for e in served.events(name) if e["reason"] == "ProvisioningFailed"]
        assert failed["type"] == "Warning"
        assert sentence in failed["message"]
    assert served.names() == []


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"accessModes": ["ReadWriteMany"]}, "access mode ReadWriteMany is not possible with a block volume"),
        ({"volumeMode": "Block"}, "volumeMode Block is not possible with a FlexVolume"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "a selector chooses among volumes that are there"),
    ],
)
def test_what_a_claim_cannot_have_is_refused(served: World, spec: dict[str, Any], sentence: str) -> None:
    name = served.claim(served.storage_class(), **spec)
    served.says(name, sentence)
    assert served.names() == []
    assert not [line for line in served.commands() if "mkvdisk" in line]


def test_a_read_only_claim_is_told_how_several_nodes_read_a_volume(served: World) -> None:
    name = served.claim(served.storage_class(), accessModes=["ReadOnlyMany"])
    served.bound(name)
    served.says(name, "readers: many")


def test_a_claim_of_another_provisioner_is_left_alone(served: World) -> None:
    foreign = served.claim(served.storage_class(provisioner="example.org/other"))
    served.bound(served.claim(served.storage_class()))
    assert len(served.names()) == 1
    assert "Provisioning" not in {event["reason"] for event in served.events(foreign)}


def test_a_full_pool_is_named_with_figures_and_a_freed_one_is_used(world: World) -> None:
    world.array(pools="Pool0:4GiB,Pool1:100GiB")
    world.start().says("This provisioner works")
    world.run("mcsop mkvdisk -name hog -size 3 -unit gb -mdiskgrp Pool0 -intier off")
    name = world.claim(world.storage_class({"volPoolName": "Pool0"}), "2Gi")
    world.says(name, "Pool0")
    assert "GiB free" in world.said(name)
    world.run("mcsop rmvdisk hog")
    world.bound(name)
    until(lambda: any(e["reason"] == "ProvisioningSucceeded" for e in world.events(name)))


def test_the_same_trouble_again_raises_the_count_of_one_event(served: World) -> None:
    name = served.claim(served.storage_class({"volPoolName": "Pool7"}))

    def counts() -> list[int]:
        return [e["count"] for e in served.events(name) if e["reason"] == "ProvisioningFailed"]

    until(lambda: counts() and counts()[0] >= 3, what="the event was counted")
    assert len(counts()) == 1


def test_a_class_that_comes_later_serves_the_claims_that_wait(served: World) -> None:
    class_name = served.storage_class({"volPoolName": "Pool0", "volThin": "perhaps"})
    name = served.claim(class_name)
    served.says(name, "volThin")
    found = served.api.get(f"{CLASSES}/{class_name}")
    assert found is not None
    served.api.delete(f"{CLASSES}/{class_name}", found["metadata"]["uid"])
    served.api.create(
        CLASSES,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": class_name},
            "provisioner": served.provisioner,
            "parameters": {"volPoolName": "Pool0"},
        },
    )
    served.bound(name)


def test_an_existing_volume_of_that_name_that_does_not_fit_is_not_taken(served: World) -> None:
    class_name = served.storage_class(volumeBindingMode="WaitForFirstConsumer")
    name = served.claim(class_name)
    volume = f"pvc-{served.get_claim(name)['metadata']['uid']}"
    served.run(f"mcsop mkvdisk -name {volume} -size 5 -unit gb -mdiskgrp Pool1 -intier off")
    notes = {
        "volume.kubernetes.io/selected-node": "node1",
        "volume.beta.kubernetes.io/storage-provisioner": served.provisioner,
    }
    served.api.patch(served.claim_path(name), {"metadata": {"annotations": notes}})
    served.says(name, "Pool1")
    assert served.volume(volume) is None


def test_an_enlarged_claim_is_told_at_once_that_the_pool_is_too_small(world: World) -> None:
    world.array(pools="Pool0:4GiB,Pool1:100GiB")
    world.start().says("This provisioner works")
    name = world.claim(world.storage_class({"volPoolName": "Pool0"}, allowVolumeExpansion=True))
    world.bound(name)
    world.api.patch(world.claim_path(name), {"spec": {"resources": {"requests": {"storage": "50Gi"}}}})
    world.says(name, "pool Pool0 on array storage-01 has 3.0 GiB free, 49.0 GiB are needed")
