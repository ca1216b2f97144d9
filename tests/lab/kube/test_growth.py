"""A claim is edited: its volume, its file system and what the cluster says of it grow under the pod.

Every day a mirror with xfs; thin and active-active volumes with ext4, and the next mount, in `make soak`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.world import CLASS, storage_class, until
from tests.soak import WHOLE, in_turn
from tools.kube import api

if TYPE_CHECKING:
    from tests.lab.kube.world import World
    from tools.kube.cluster import Cluster

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
GIB = 1 << 30
GROWING = ("mirror", CLASS, "aa") if WHOLE else ("mirror",)
CLASSES = (
    storage_class(CLASS, volThin="true"),
    storage_class("mirror", volLevel="mirror", volAuxPoolName="Pool0", **{"provisioner/fsType": "xfs"}),
    storage_class("aa", volLevel="aa", volAuxPoolName="Pool0", volIOGrp="0", volAuxIOGrp="1"),
    storage_class("thick"),
)
# Each block goes to a file of its own, is on the disk, and its sum is kept outside of it; the rest after
# it leaves kubelet a processor.
WRITER = """
rm -f /tmp/sums /tmp/stop /tmp/ended /tmp/errors; n=0
while [ ! -e /tmp/stop ]; do
  n=$((n + 1))
  dd if=/dev/urandom of=/tmp/block bs=64k count=1 2>/dev/null
  dd if=/tmp/block of=/data/block.$n bs=64k conv=fsync 2>/dev/null || echo "block $n" >>/tmp/errors
  md5sum </tmp/block | sed "s|-|/data/block.$n|" >>/tmp/sums
  usleep 100000
done
touch /tmp/ended
"""


class Writer:
    """Writes in a pod, and checks what it wrote."""

    def __init__(self, world: World, pod: str) -> None:
        self._world, self._pod = world, pod
        world.sh(pod, f"({WRITER}) >/dev/null 2>&1 &")
        self.goes_on()

    def written(self) -> int:
        return int(self._world.sh(self._pod, "touch /tmp/sums; wc -l </tmp/sums"))

    def goes_on(self) -> None:
        before = self.written()
        until(lambda: self.written() > before + 1, "more is written", 60)

    def ends(self) -> None:
        """All that was written is right on the disk, and no write failed."""
        self.goes_on()
        until(lambda: self._world.sh(self._pod, "touch /tmp/stop; ls /tmp").count("ended"), "it ends", 60)
        self._world.products["a"].machine.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        print(self._world.sh(self._pod, "md5sum -cs /tmp/sums && wc -l </tmp/sums"), "blocks are right")
        assert self._world.sh(self._pod, "cat /tmp/errors 2>/dev/null || true") == ""


def edit(world: World, claim: str, size: str) -> None:
    """Ask for another size, as an administrator who edits the claim."""
    wanted = {"spec": {"resources": {"requests": {"storage": size}}}}
    world.cluster.kubectl("patch", "pvc", claim, "-p", json.dumps(wanted))


def status(world: World, claim: str) -> dict[str, Any]:
    return dict((world.cluster.api.get(f"{api.CLAIMS}/{claim}") or {})["status"])


def conditions(world: World, claim: str) -> list[str]:
    return [one["type"] for one in status(world, claim).get("conditions") or ()]


def has_grown(world: World, claim: str, pod: str, gib: int) -> None:
    """The claim, its events, the file system in the pod and the array say the new size."""
    until(
        lambda: status(world, claim)["capacity"]["storage"] == f"{gib}Gi", lambda: world.cluster.said(claim)
    )
    assert conditions(world, claim) == []
    until(lambda: "FileSystemResizeSuccessful" in world.cluster.said(claim), "an event says so", 30)
    kilobytes = int(world.sh(pod, "df -kP /data | tail -1").split()[1])
    assert (gib - 0.2) * GIB < kilobytes * 1024 < gib * GIB
    volume = world.cluster.wait_bound(claim)
    (found,) = [one for one in world.san.control.do("volumes") if one["name"] == volume]
    assert found["size"] == gib * GIB


@pytest.fixture
def kinds(cluster: Cluster) -> None:
    """The storage classes."""
    cluster.apply(CLASSES)


@in_turn(0, 2)
def test_edited_claims_grow_under_their_pods_and_a_pool_that_is_too_small_is_said(
    world: World, kinds: None
) -> None:
    claims = {name: world.claim(storage_class=name) for name in (*GROWING, "thick")}
    pods = {name: world.pod(claim, "a") for name, claim in claims.items()}
    for pod in pods.values():
        world.cluster.wait_running(pod)
    writers = [Writer(world, pod) for pod in pods.values()]

    edit(world, claims["thick"], "200Gi")
    for name in GROWING:
        edit(world, claims[name], "2Gi")
    pending = "the claim's condition says that its file system is to grow"
    until(lambda: "FileSystemResizePending" in conditions(world, claims["mirror"]), pending, poll=0.1)
    for name in GROWING:
        has_grown(world, claims[name], pods[name], 2)
    is_refused(world, claims["thick"], pods["thick"])
    for writer in writers:
        writer.ends()


def is_refused(world: World, claim: str, pod: str) -> None:
    """Events of the claim and of its pod say which pool has how much; the capacity stays."""
    said = world.cluster.said
    until(lambda: "ExpansionBlocked" in said(claim), lambda: said(claim))
    until(lambda: "VolumeResizeFailed" in said(pod), lambda: said(pod))
    for text in (said(claim), said(pod)):
        assert "Pool1" in text
        assert "GiB free" in text
    assert status(world, claim)["capacity"]["storage"] == "1Gi"


@pytest.mark.skipif(not WHOLE, reason="in make soak")
def test_a_claim_edited_without_a_pod_grows_at_the_next_mount(world: World) -> None:
    claim = world.claim()
    first = world.running(claim, "a")
    world.sh(first, "echo kept >/data/row; sync")
    world.remove(first)
    world.unmapped(claim)
    edit(world, claim, "2Gi")
    again = world.running(claim, "b")
    has_grown(world, claim, again, 2)
    assert world.sh(again, "cat /data/row") == "kept"
