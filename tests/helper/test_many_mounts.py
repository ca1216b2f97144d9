"""Inspect beside a volume that is mounted very often, as by a pod with many `subPath`s: nothing is hidden."""

from __future__ import annotations

import pytest

from helper import device
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.record import to_json
from instorage.wire.values import RequestId
from instorage.wire.varlink import MAX_MESSAGE, encode
from instorage.wire.verbs import InspectReply, InspectRequest
from tests.helper.host import OTHER, UID, Host

pytestmark = pytest.mark.subprocess
POD = "1c2b3a44-0000-4000-8000-123456789abc"
OWN = f"/var/lib/kubelet/pods/{POD}/volumes/inspur~instorage-flexvolume/pvc-1"
DEVICE = "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
PART = f"/var/lib/kubelet/pods/{POD}/volume-subpaths/pvc-{POD}/app"


def mounted(host: Host, *targets: str) -> dict[str, InspectReply]:
    """Return what is said of the two volumes of a host while one is mounted on all of these."""
    for name, hctl, uid in (("sda", "0:0:0:1", UID), ("sdb", "0:0:0:2", OTHER)):
        host.disk(name, hctl, uid)
    label = host.map(UID, "sda")
    (host.root / f"sys/block/{label}/holders").mkdir(exist_ok=True)
    volume = device.find(UID)
    assert volume.map
    where = f"1 {volume.map.number} /"
    rows = [f"{at} {where} {target} rw - ext4 /dev/x rw\n" for at, target in enumerate(targets)]
    (host.root / "proc/self/mountinfo").write_text("".join(rows))
    replies = inspect(InspectRequest(RequestId("test1")), Settings(), more=True)
    for reply in replies:
        assert len(encode({"parameters": to_json(reply), "continues": True})) < MAX_MESSAGE
    return {str(reply.uid): reply for reply in replies}


@pytest.mark.parametrize("often", [100, 400, 4000])
def test_a_pod_with_hundreds_of_subpaths_hides_no_volume(host: Host, often: int) -> None:
    """And kubelet's own mounts, which the agent looks for, stay among so many, wherever they stand."""
    parts = [f"{PART}/{number}" for number in range(often)]
    said = mounted(host, *parts[:50], DEVICE, *parts[50:], OWN)
    assert said.keys() == {UID, OTHER}
    targets = [mount.target for mount in said[UID].mounts]
    assert targets[:2] == [DEVICE, OWN]
    assert set(parts[:100]) <= set(targets)


def test_mounts_whose_names_fill_a_message_hide_neither_each_other_nor_a_volume(host: Host) -> None:
    """A tenant names directories: each name of 3,800 bytes takes 11,400 of a message."""
    said = mounted(host, *[f"/mnt/{number}{chr(0x7FF) * 1900}" for number in range(9)], "/mnt/short", OWN)
    assert said.keys() == {UID, OTHER}
    targets = [mount.target for mount in said[UID].mounts]
    assert targets[0] == OWN
    assert targets[-1] == "/mnt/short"
    assert len(targets) > 3


def test_many_devices_that_are_built_on_a_volume_hide_no_volume(host: Host) -> None:
    host.disk("sda", "0:0:0:1", UID)
    for number in range(5000):
        (host.root / f"sys/block/sda/holders/dm-{number:0100}").touch()
    (reply,) = inspect(InspectRequest(RequestId("test1")), Settings(), more=True)
    assert reply.holders
    assert len(encode({"parameters": to_json(reply)})) < MAX_MESSAGE
