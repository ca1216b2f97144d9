"""Whatever is lost, killed or restarted: each claim has one volume, and no volume is left without a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import VOLUMES
from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
LOST = [
    {"command": "mkvdisk", "after": "connection"},
    {"command": "mkvdisk", "before": "connection"},
    {"command": "mkvdisk", "after": "channel"},
    {"command": "lsvdisk", "after": "connection"},
    {"command": "lsvdisk", "empty": True, "skip": 1},
]

CREATING = [
    {"command": "lsvdisk", "delay": 60.0},
    {"command": "mkvdisk", "delay": 60.0},
    {"command": "mkvdisk", "delay_after": 60.0},
    {"command": "lsvdisk", "delay": 60.0, "skip": 1},
]

DELETING = [{"command": "rmvdisk", "delay": 60.0}, {"command": "rmvdisk", "delay_after": 60.0}]


def test_volumes_without_an_owner_are_reported_and_left_alone(world: World) -> None:
    world.array()
    world.run("mcsop mkvdisk -name pvc-left-over -size 1 -unit gb -mdiskgrp Pool0 -intier off")
    world.run("mcsop mkvdisk -name somebodys -size 1 -unit gb -mdiskgrp Pool0 -intier off")
    first = world.start()
    volume = world.bound(world.claim(world.storage_class()))["metadata"]["name"]
    first.stop()
    second = world.start()
    second.says("1 volume(s) without PV and claim in this cluster")
    (line,) = [line for line in second.log.splitlines() if "without PV and claim" in line]
    assert line.endswith(": pvc-left-over")
    assert world.names() == sorted(["pvc-left-over", "somebodys", volume])


def named(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


@pytest.mark.parametrize("fault", LOST, ids=named)
def test_a_lost_answer_makes_no_second_volume(served: World, fault: dict[str, Any]) -> None:
    served.do("fault", **fault)
    volume = served.bound(served.claim(served.storage_class()))
    assert served.names() == [volume["metadata"]["name"]]


@pytest.mark.parametrize("after", ["connection", "channel"])
def test_a_lost_answer_to_a_deletion_leaves_nothing(served: World, after: str) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.do("fault", command="rmvdisk", after=after)
    served.delete_claim(name)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []


def killed_and_started(world: World) -> None:
    """Kill the provisioner and start it again; its lease is taken away, since others test the take-over."""
    world.programs[-1].kill()
    lease = world.api.get(world.lease)
    assert lease is not None
    world.api.delete(world.lease, lease["metadata"]["uid"])
    world.do("clear")
    world.start().says("This provisioner works")


@pytest.mark.parametrize("fault", CREATING, ids=named)
def test_killed_while_creating_it_goes_on_with_the_same_volume(served: World, fault: dict[str, Any]) -> None:
    served.bound(served.claim(served.storage_class()))  # connected
    running = served.do("counters")["running"]["opened"]
    served.do("fault", **fault)
    name = served.claim(served.storage_class())
    until(lambda: served.do("counters")["running"]["opened"] > running, what="a command is under way")
    until(lambda: served.do("counters")["running"]["now"] == 1, what="it hangs")
    killed_and_started(served)
    volume = served.bound(name)
    assert len(served.names()) == 2
    assert volume["metadata"]["name"] in served.names()


@pytest.mark.parametrize("fault", DELETING, ids=named)
def test_killed_while_deleting_it_finishes(served: World, fault: dict[str, Any]) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.do("fault", **fault)
    served.delete_claim(name)
    until(lambda: served.do("counters")["running"]["now"] == 1, what="the deletion hangs")
    killed_and_started(served)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []


def test_a_claim_deleted_while_its_volume_is_made_leaves_nothing(served: World) -> None:
    served.do("fault", command="mkvdisk", delay=1.5)
    name = served.claim(served.storage_class())
    until(lambda: served.do("counters")["running"]["now"] == 1, what="the volume is being made")
    served.delete_claim(name)
    served.says(name, "its new volume is deleted")
    assert served.names() == []


def test_a_claim_bound_to_another_volume_meanwhile_leaves_nothing(served: World) -> None:
    class_name = served.storage_class()
    served.do("fault", command="mkvdisk", delay=2.0)
    name = served.claim(class_name)
    until(lambda: served.do("counters")["running"]["now"] == 1, what="the volume is being made")
    claim = served.get_claim(name)["metadata"]
    by_hand = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"by-hand-{name}"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class_name,
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": "default", "name": name, "uid": claim["uid"]},
        },
    }
    served.api.create(VOLUMES, by_hand)
    served.says(name, "bound to another volume; its new volume is deleted")
    assert served.bound(name)["metadata"]["name"] == f"by-hand-{name}"
    assert served.names() == []


def test_told_to_stop_it_finishes_what_is_under_way(served: World) -> None:
    served.do("fault", command="mkvdisk", delay=1.5)
    name = served.claim(served.storage_class())
    until(lambda: served.do("counters")["running"]["now"] == 1, what="the volume is being made")
    assert served.programs[0].stop() == 0
    served.bound(name)
    lease = served.api.get(served.lease)
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
