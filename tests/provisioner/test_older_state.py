"""etcd is restored to what it had before, as after a disaster, while the provisioner works on."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.cluster import VOLUMES
from tests.provisioner.conftest import administered, may_renew, of_account
from tests.provisioner.program import until
from tests.provisioner.world import World
from tools.kube.control_plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]  # two control planes begin
AWAY = 90.0  # seconds: kube-controller-manager and the provisioner come round again


@pytest.fixture
def mine() -> Iterator[ControlPlane]:
    """A control plane of this test's own: its past comes back."""
    with ControlPlane(requests=400) as plane:
        yield plane


@pytest.fixture
def early(mine: ControlPlane) -> Iterator[World]:
    """A world in which nobody works yet."""
    api = administered(mine)
    with tempfile.TemporaryDirectory() as directory:
        world = World(api, of_account(mine, api), Path(directory))
        may_renew(api, world.lease.rpartition("/")[2])
        world.array("storage-01")
        world.array("storage-02")
        yield world
        world.close()
        for program in world.programs:
            print(f"--- provisioner {program.pid}\n{program.log[-6000:]}")


def removed(world: World, name: str, *, volume_too: bool = True) -> None:
    """Delete a claim; its PV goes with it, or is deleted by hand when the policy keeps it."""
    volume = world.get_claim(name)["spec"]["volumeName"]
    world.delete_claim(name)
    if not volume_too:
        until(lambda: phase(world, volume) == "Released", what="it is released")
        world.api.delete(f"{VOLUMES}/{volume}", (world.volume(volume) or {})["metadata"]["uid"])
    until(lambda: world.volume(volume) is None, what="the PV is gone")


def phase(world: World, volume: str) -> str:
    return str(((world.volume(volume) or {}).get("status") or {}).get("phase"))


def version(world: World) -> int:
    return int(world.api.version(VOLUMES))


def written(world: World, beyond: int) -> None:
    """Write until the server is beyond the version that it had before its past came back."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"written-{beyond}"}}
    maps = "/api/v1/namespaces/default/configmaps"
    world.api.create(maps, body)
    numbers = itertools.count()
    while version(world) <= beyond:
        for number in itertools.islice(numbers, 50):
            world.api.patch(f"{maps}/written-{beyond}", {"data": {"number": str(number)}})


def test_no_volume_of_what_came_back_is_deleted_and_what_nobody_knows_is_reported(
    early: World, mine: ControlPlane
) -> None:
    class_name = early.storage_class({"volPoolName": "Pool0"})  # thick: whether it holds data is not told
    early.start().says("This provisioner works")
    stays, goes = early.claim(class_name), early.claim(class_name)
    keeps = early.claim(early.storage_class(reclaimPolicy="Retain"))
    names = {name: early.bound(name)["metadata"]["name"] for name in (stays, goes, keeps)}
    early.programs[0].stop()
    waits = early.claim(class_name)
    kept = mine.keep_state()

    program = early.start()
    names[waits] = early.bound(waits, AWAY)["metadata"]["name"]
    names["later"] = early.bound(early.claim(class_name))["metadata"]["name"]
    removed(early, goes)
    removed(early, keeps, volume_too=False)
    there = sorted(names[name] for name in (stays, keeps, waits, "later"))
    assert early.names() == there
    early.configure({name: early.arrays[name].address for name in ("storage-02", "storage-01")})

    beyond = version(early)
    os.kill(program.pid, signal.SIGSTOP)
    mine.restore_state(kept)
    written(early, beyond)
    os.kill(program.pid, signal.SIGCONT)

    volume = early.bound(waits, AWAY)
    assert volume["metadata"]["name"] == names[waits], "it has the volume that it had"
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "which may hold data"
    early.says(waits, "VolumeKept")
    program.says(f"without PV and claim in this cluster (of another cluster, or left over; look before you "
                 f"delete): {names['later']}", AWAY)  # fmt: skip
    assert {phase(early, names[name]) for name in (stays, goes, keeps)} == {"Bound"}
    fresh = early.bound(early.claim(class_name))
    assert fresh["spec"]["flexVolume"]["options"]["storageName"] == "storage-02"
    removed(early, goes)
    assert early.names("storage-01") == there, "nothing was deleted, and nothing is on both arrays"
    assert early.names("storage-02") == [fresh["metadata"]["name"]]
