"""Claims and PVs that come back, from a backup, by hand, or never, as kube-controller-manager sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.cluster import VOLUMES
from tests.provisioner.backup import create, exported, forget, obey
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.world import World

pytestmark = [pytest.mark.kube, pytest.mark.usefixtures("leaves_no_pv")]
RESYNC = 45.0  # seconds: kube-controller-manager looks again every 15 s


def phase(world: World, volume: str) -> str:
    found = world.volume(volume)
    return str(found["status"]["phase"]) if found else ""


def lost(world: World) -> tuple[Object, Object]:
    """Have a claim bound, back it up with its PV, and lose both; the volume stays on the array."""
    world.array()
    program = world.start()
    program.says("This provisioner works")
    name = world.claim(world.storage_class())
    volume = world.bound(name)
    claim = world.get_claim(name)
    program.stop()
    forget(world.api, claim, volume)
    return exported(claim), exported(volume)


def settled(world: World) -> None:
    """See that the provisioner has looked, and looks again, and nothing was deleted."""

    def looks() -> int:
        return world.programs[-1].log.count("is not deleted")

    before = looks()
    until(lambda: looks() >= before + 2, 15, "it was looked at again")


@pytest.mark.parametrize("first", ["the PV first", "the claim first"])
def test_what_is_restored_keeps_its_volume_and_is_bound_again_by_what_the_event_says(
    world: World, first: str
) -> None:
    claim, volume = lost(world)
    name, pv = claim["metadata"]["name"], volume["metadata"]["name"]
    world.start().says("This provisioner works")
    if first == "the PV first":
        create(world.api, volume)
        world.says(pv, "never been bound since it was made")
        create(world.api, claim)
    else:
        create(world.api, claim)
        create(world.api, volume)
    world.says(pv, f"claim default/{name} (UID {world.get_claim(name)['metadata']['uid']}) names this PV")
    assert phase(world, pv) == "Released"
    settled(world)
    assert world.names() == [pv]
    world.says(name, "kubectl patch pv")

    obey(world.api, world.said(name), world.get_claim(name)["metadata"]["uid"])
    assert world.bound(name, RESYNC)["metadata"]["name"] == pv
    assert world.names() == [pv]
    until(lambda: phase(world, pv) == "Bound" and is_marked(world, pv), what="the PV is marked as bound")
    world.delete_claim(name)
    until(lambda: world.volume(pv) is None, what="the PV is gone")
    assert world.names() == []


def is_marked(world: World, volume: str) -> bool:
    metadata = (world.volume(volume) or {})["metadata"]
    return bool(metadata["annotations"].get("inspur.com/instorage-pv-uid") == metadata["uid"])


def test_a_pv_restored_as_velero_does_it_is_bound_to_its_claim(world: World) -> None:
    claim, volume = lost(world)
    for key in ("uid", "resourceVersion"):
        volume["spec"]["claimRef"].pop(key)
    claim["metadata"]["annotations"] = {}
    world.start().says("This provisioner works")
    create(world.api, volume)
    create(world.api, claim)
    assert world.bound(claim["metadata"]["name"], RESYNC)["metadata"]["name"] == volume["metadata"]["name"]
    assert world.names() == [volume["metadata"]["name"]]


def test_a_lost_claim_whose_pv_names_it_without_a_uid_is_told_how_to_get_it(world: World) -> None:
    claim, volume = lost(world)
    volume["spec"]["claimRef"].pop("uid")
    world.start().says("This provisioner works")
    create(world.api, volume)
    create(world.api, claim)
    name = claim["metadata"]["name"]
    world.says(name, "BindingWaits")
    obey(world.api, world.said(name), world.get_claim(name)["metadata"]["uid"])
    assert world.bound(name, RESYNC)["metadata"]["name"] == volume["metadata"]["name"]


def test_a_claim_that_was_replaced_by_force_is_told_how_to_get_its_retained_volume(served: World) -> None:
    name = served.claim(served.storage_class(reclaimPolicy="Retain"))
    volume = served.bound(name)["metadata"]["name"]
    claim = served.get_claim(name)
    served.delete_claim(name)
    until(lambda: served.api.get(f"{CLAIMS}/{name}") is None, what="the claim is gone")
    create(served.api, exported(claim))
    served.says(name, "BindingWaits PV " + volume)
    obey(served.api, served.said(name), served.get_claim(name)["metadata"]["uid"])
    assert served.bound(name, RESYNC)["metadata"]["name"] == volume
    assert served.names() == [volume]


def test_a_pv_whose_claim_was_cleared_by_hand_keeps_its_volume(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.programs[0].stop()
    served.delete_claim(name)
    until(lambda: phase(served, volume) == "Released", what="the PV is released")
    served.api.patch(f"{VOLUMES}/{volume}", {"spec": {"claimRef": None}})
    until(lambda: phase(served, volume) == "Available", what="the PV is free")
    served.start().says("1 known here")
    served.bound(served.claim(served.storage_class()))
    assert phase(served, volume) == "Available"
    assert volume in served.names()


def test_a_policy_that_became_retain_after_the_claim_was_deleted_holds(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.run("mcsop mkhost -iscsiname iqn.2020-01.org.example:n1 -name iscsi-n1")
    served.run(f"mcsop mkvdiskhostmap -host iscsi-n1 {volume}")
    served.delete_claim(name)
    served.says(volume, "it is mapped to iscsi-n1")
    served.api.patch(f"{VOLUMES}/{volume}", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    served.run(f"mcsop rmvdiskhostmap -host iscsi-n1 {volume}")
    served.bound(served.claim(served.storage_class()))
    assert phase(served, volume) == "Released"
    assert volume in served.names()


def test_a_disk_that_a_pv_by_hand_is_about_as_well_is_not_deleted(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)
    spec = {key: volume["spec"][key] for key in ("capacity", "accessModes", "volumeMode", "flexVolume")}
    by_hand = {"metadata": {"name": f"by-hand-{name}"}, "spec": spec}
    made = create(served.api, by_hand)
    served.delete_claim(name)
    pv = volume["metadata"]["name"]
    served.says(pv, f"the same disk is that of PV by-hand-{name}")
    assert served.names() == [pv]
    served.api.delete(f"{VOLUMES}/by-hand-{name}", made["metadata"]["uid"])
    until(lambda: served.volume(pv) is None, 30, "the PV is gone")
    assert served.names() == []


def test_a_restored_claim_whose_pv_is_not_there_is_told_so(world: World) -> None:
    claim, volume = lost(world)
    world.start().says("This provisioner works")
    create(world.api, claim)
    pv = volume["metadata"]["name"]
    world.says(
        claim["metadata"]["name"], f"The claim names PV {pv}, which is not there: restore that PV as well"
    )
    assert world.names() == [pv]
