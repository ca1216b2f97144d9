"""A provisioner that takes over from one that was killed: one claim has one volume, what was there stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube


def killed_after_mkvdisk(world: World) -> str:
    """Have a claim's volume made on storage-01, kill before anything is written of it; return the claim."""
    world.array("storage-01")
    world.array("storage-02")
    world.start().says("This provisioner works")
    world.do("fault", command="mkvdisk", delay_after=60.0)
    name = world.claim(world.storage_class())
    until(lambda: world.names(), what="the volume is made, the answer still to come")
    world.programs[0].kill()
    lease = world.api.get(world.lease)
    assert lease is not None
    world.api.delete(world.lease, lease["metadata"]["uid"])  # others test the take-over
    world.do("clear")
    return name


def released(world: World, volume: str) -> bool:
    found = world.volume(volume)
    assert found is not None, "it is kept"
    return bool(found["status"]["phase"] == "Released")


def addresses(world: World, *order: str) -> dict[str, str]:
    return {name: world.arrays[name].address for name in order}


def test_another_default_array_makes_no_second_volume(world: World) -> None:
    name = killed_after_mkvdisk(world)
    world.configure(addresses(world, "storage-02", "storage-01"))
    world.start(state="second").says("This provisioner works")
    volume = world.bound(name)
    assert (world.names("storage-01"), world.names("storage-02")) == ([volume["metadata"]["name"]], [])
    assert volume["spec"]["flexVolume"]["options"]["storageName"] == "storage-01"
    world.says(name, "VolumeKept")  # who made it is gone: that nobody else uses it is not proven
    world.delete_claim(name)
    until(lambda: released(world, volume["metadata"]["name"]), what="the PV is released")
    assert world.names("storage-01") == [volume["metadata"]["name"]]


def test_an_array_that_cannot_be_asked_is_waited_for_and_said_on_the_claim(world: World) -> None:
    name = killed_after_mkvdisk(world)
    nowhere = addresses(world, "storage-02", "storage-01") | {"storage-01": "127.0.0.1:1"}
    world.configure(nowhere)
    world.start(state="second").says("This provisioner works")
    world.says(name, "It must be known first whether array storage-01 has volume pvc-", 40)
    assert world.names("storage-02") == []
    fresh = world.claim(world.storage_class())
    assert world.bound(fresh)["spec"]["flexVolume"]["options"]["storageName"] == "storage-02"
    world.configure(addresses(world, "storage-02", "storage-01"))
    volume = world.bound(name, 60)
    assert volume["metadata"]["name"] in world.names("storage-01")
    assert len(world.names("storage-02")) == 1


def test_a_volume_that_was_there_before_its_claim_was_served_stays_when_the_claim_goes(served: World) -> None:
    class_name = served.storage_class(volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Retain")
    name = served.claim(class_name)
    volume = f"pvc-{served.get_claim(name)['metadata']['uid']}"
    served.run(f"mcsop mkvdisk -name {volume} -size 5 -unit gb -mdiskgrp Pool0 -intier off")
    notes = {
        "volume.kubernetes.io/selected-node": "node1",
        "volume.beta.kubernetes.io/storage-provisioner": served.provisioner,
    }
    served.api.patch(served.claim_path(name), {"metadata": {"annotations": notes}})
    served.says(name, "is already on array storage-01")
    served.delete_claim(name)
    served.says(name, f"volume {volume} stays on array storage-01: it was not made for this claim")
    assert served.names() == [volume]


def test_policy_retain_holds_for_a_claim_that_goes_while_its_volume_is_made(served: World) -> None:
    served.do("fault", command="mkvdisk", delay=1.5)
    name = served.claim(served.storage_class(reclaimPolicy="Retain"))
    until(lambda: served.do("counters")["running"]["now"] == 1, what="the volume is being made")
    served.delete_claim(name)
    served.says(name, "its class has the reclaim policy Retain")
    assert len(served.names()) == 1
