"""Whatever is lost, killed or restarted: each claim has one volume, and no volume is left without a claim."""

from __future__ import annotations

import contextlib
import datetime
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.watch import Watch

from provisioner.cluster import CLASSES, VOLUMES, Away, Cluster, Refusal
from provisioner.reflection import Reflection
from tests.provisioner.conftest import ACCOUNT, token_of, token_secrets, until

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.conftest import World
    from tools.kube.control_plane import ControlPlane

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


def new_token(api: Cluster) -> str:
    """Revoke the account's token and return the new one that kube-controller-manager makes."""
    (old,) = token_secrets(api)
    secrets = "/api/v1/namespaces/kube-system/secrets"
    api.delete(f"{secrets}/{old['metadata']['name']}", old["metadata"]["uid"])
    return until(lambda: token_of(api), what="a new token")


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


def test_one_of_two_works_and_the_other_takes_over_when_it_is_killed(served: World) -> None:
    second = served.start(state="second")
    second.says("this provisioner waits")
    class_name = served.storage_class()
    served.bound(served.claim(class_name))
    served.do("fault", command="mkvdisk", delay_after=30.0)
    name = served.claim(class_name)
    until(lambda: len(served.names()) == 2, what="the volume is made, the answer still to come")
    served.programs[0].kill()
    killed = time.monotonic()
    served.do("clear")
    second.says("This provisioner works", 25)
    assert time.monotonic() - killed < 20
    served.bound(name)
    assert len(served.names()) == 2


def test_a_lease_that_somebody_changed_or_removed_is_taken_again_and_one_given_away_is_waited_for(
    served: World,
) -> None:
    def lease() -> Object:
        return served.api.get(served.lease) or {"metadata": {}, "spec": {}}

    held = lease()["spec"]["holderIdentity"]
    served.api.patch(served.lease, {"metadata": {"annotations": {"seen": "yes"}}})
    changed = lease()["spec"]["renewTime"]
    until(lambda: lease()["spec"].get("renewTime", changed) > changed, what="it is renewed")
    assert lease()["metadata"]["annotations"]["seen"] == "yes"
    served.api.delete(served.lease, lease()["metadata"]["uid"])
    until(lambda: lease()["spec"].get("holderIdentity") == held, what="it is made again")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    served.api.patch(
        served.lease, {"spec": {"holderIdentity": "another", "renewTime": now, "leaseDurationSeconds": 3600}}
    )
    served.programs[0].says("The lease could not be renewed", 25)
    served.programs[0].says("another works; this provisioner waits")
    assert lease()["spec"]["holderIdentity"] == "another"


def test_the_api_server_may_be_restarted(served: World, plane: ControlPlane) -> None:
    class_name = served.storage_class()
    before = served.bound(served.claim(class_name))["metadata"]["name"]
    served.do("fault", command="mkvdisk", delay=2.0)
    during = served.claim(class_name)
    until(lambda: served.do("counters")["running"]["now"] == 1, what="a volume is being made")
    plane.end("kube-apiserver")
    until(lambda: served.do("counters")["running"]["now"] == 0, what="the volume is made")
    with pytest.raises((Away, Refusal)):
        served.get_claim(during)
    second = served.start(state="second")
    second.says("The lease cannot be read")
    plane.start_apiserver()
    with contextlib.suppress(KeyError):
        plane.end("kube-controller-manager")  # as an init system does that starts it again
    plane.start_manager()
    after = served.claim(class_name)
    volumes = {before, *(served.bound(name, 30)["metadata"]["name"] for name in (during, after))}
    assert served.names() == sorted(volumes)
    assert served.programs[0].running
    second.says("this provisioner waits")
    follows_from_long_ago(served.api, class_name)


def follows_from_long_ago(api: Cluster, class_name: str) -> None:
    """After its restart the API server remembers nothing old (410): the copy is listed anew."""
    with pytest.raises(Refusal) as refused:
        next(api.watch(Watch(), CLASSES, "1"))
    assert refused.value.status == 410
    seen: list[Object] = []
    reflection = Reflection(api, CLASSES, lambda old, new: seen.append(new or old or {}))
    reflection._version = "1"
    reflection.start()
    assert reflection.listed.wait(20)
    reflection.stop()
    assert class_name in {found["metadata"]["name"] for found in seen}


def test_a_token_that_was_exchanged_is_read_from_the_file(served: World, plane: ControlPlane) -> None:
    class_name = served.storage_class()
    served.bound(served.claim(class_name))
    old = Cluster(plane.kubeconfig("old", token_of(served.api)))
    plane.kubeconfig(ACCOUNT, new_token(served.api))
    until(lambda: refused(old), what="the API server forgets the old token")
    served.bound(served.claim(class_name))


def refused(cluster: Cluster) -> bool:
    """Say whether the API server takes these credentials no more."""
    try:
        cluster.objects(CLASSES)
    except Refusal as refusal:
        return refusal.status == 401
    return False


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
