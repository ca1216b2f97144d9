"""Arrays that are dead, silent or several, and a volume whose expansion was broken off."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube


def test_a_dead_array_does_not_hold_up_the_others(world: World) -> None:
    world.array()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:  # takes connections, says nothing
        addresses = {name: simulator.address for name, simulator in world.arrays.items()}
        world.configure(addresses | {"storage-02": f"127.0.0.1:{silent.getsockname()[1]}"})
        world.start().says("This provisioner works")
        dead = world.storage_class({"volPoolName": "Pool0", "storageName": "storage-02"})
        lost = [world.claim(dead) for _ in range(30)]
        until(lambda: "Provisioning" in world.said(lost[0]), what="the dead array is tried")
        start = time.monotonic()
        for name in [world.claim(world.storage_class()) for _ in range(5)]:
            world.bound(name)
        assert time.monotonic() - start < 8
        world.says(lost[0], "Warning ProvisioningFailed", 30)
        assert "storage-02" in world.said(lost[0]).partition("ProvisioningFailed")[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_array_that_answers_nothing_for_a_minute_is_said_and_made_up_for(served: World) -> None:
    served.do("fault", command="*", times=0, before="silence")
    start = time.monotonic()
    name = served.claim(served.storage_class())
    served.says(name, "Warning ProvisioningFailed", 90)
    assert "storage-01" in served.said(name).partition("ProvisioningFailed")[2]
    until(lambda: time.monotonic() - start > 60, 65, "a minute without an answer")
    served.do("clear")
    served.do("drop-connections")
    volume = served.bound(name, 60)["metadata"]["name"]
    assert served.names() == [volume]


def test_two_arrays_serve_their_own_classes(world: World) -> None:
    world.array("storage-01")
    world.array("storage-02", pools="Gold:50GiB")
    world.start().says("This provisioner works")
    gold = world.claim(world.storage_class({"volPoolName": "Gold", "storageName": "storage-02"}))
    plain = world.claim(world.storage_class())
    on = {name: world.bound(name)["metadata"]["name"] for name in (gold, plain)}
    assert world.names("storage-01") == [on[plain]]
    assert world.names("storage-02") == [on[gold]]
    world.delete_claim(gold)
    until(lambda: world.volume(on[gold]) is None, what="the PV is gone")
    assert world.names("storage-02") == []
    assert world.names("storage-01") == [on[plain]]


def test_a_volume_whose_expansion_was_broken_off_is_deleted_only_after_it_is_whole_again(
    served: World,
) -> None:
    kind = {"volLevel": "aa", "volPoolName": "Pool0", "volAuxPoolName": "Pool1", "volIOGrp": "0"}
    claim = served.claim(served.storage_class({**kind, "volAuxIOGrp": "1"}))
    volume = served.bound(claim)["metadata"]["name"]
    member = {one["function"]: one for one in served.do("volumes")}
    served.run(f"mcsop rmrcrelationship {member['master']['id']}")
    served.delete_claim(claim)
    served.says(volume, f"instoragectl barrier plan {volume}")
    assert len(served.names()) == 4
    assert served.volume(volume), "the PV stays as well"

    ends = f"-master {volume} -aux {member['aux']['name']} -cluster mcs1"
    served.run(f"mcsop mkrcrelationship {ends} -sync -activeactive")
    for end in ("master", "aux"):
        change = member[f"{end}_change"]["name"]
        served.run(f"mcsop chrcrelationship -{end}change {change} {member['master']['id']}")
    until(lambda: served.volume(volume) is None, 60, "the PV is gone")
    assert served.names() == []
