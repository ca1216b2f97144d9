"""300 volumes with four paths each on one node: what one costs does not grow with how many there are.

What the kernel is asked is counted, not timed: files opened and directories listed below the fake sysfs by
this thread. A volume beside others costs one look at each of their disks, for nothing in sysfs is found by
what it remembers; everything else is looked for from the volume's own disks on.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from helper import attach as attaching
from helper import device, mounts, shutdown
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachRequest, InspectRequest, IscsiPath, Multipath
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET, Sysfs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
FEW, MANY, PATHS = 10, 300, 4
FLAT = 1.1  # what a volume may cost beside many, of what it costs beside few


class Asked:
    """How often files below a directory are opened or listed, while that is `on`."""

    def __init__(self) -> None:
        self.on, self.count, self.below = False, 0, ""
        self._thread = threading.get_ident()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in ("open", "os.listdir") and threading.get_ident() == self._thread:
            self.count += str(arguments[0]).startswith(self.below)

    def of(self, root: Path, job: Callable[[], object]) -> int:
        """Return how often something below `root` is asked in a job."""
        self.count, self.below, self.on = 0, str(root / "sys"), True
        try:
            job()
        finally:
            self.on = False
        return self.count


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


def volume(number: int) -> str:
    return f"600507600089001{number:017x}"


def fill(host: Sysfs, first: int, last: int) -> None:
    """Volumes with LUN numbers beyond 255, each with a map over four paths."""
    for number in range(first, last):
        names = [f"sd{number}x{path}" for path in range(PATHS)]
        for path, name in enumerate(names):
            host.disk(name, f"{path}:0:0:{number}", volume(number))
        host.map(volume(number), *names)


def looks(host: Host, asked: Asked, job: Callable[[], object]) -> tuple[int, int]:
    """Return how often the kernel is asked beside few volumes, and beside many."""
    fill(host, 0, FEW)
    few = asked.of(host.root, job)
    fill(host, FEW, MANY)
    return few, asked.of(host.root, job)


def test_a_look_at_every_volume_costs_the_same_for_each(host: Host, asked: Asked) -> None:
    found: list[int] = []

    def job() -> None:
        replies = inspect(InspectRequest(RequestId("test1")), Settings(), more=True)
        assert all(len(one.paths) == PATHS and one.multipath for one in replies)
        found.append(len(replies))

    few, many = looks(host, asked, job)
    print(f"{few / FEW:.1f} looks for each of {FEW} volumes, {many / MANY:.1f} of {MANY}")
    assert found == [FEW, MANY]
    assert many / MANY <= FLAT * few / FEW


def test_a_volume_beside_many_costs_one_look_at_each_of_their_disks(host: Host, asked: Asked) -> None:
    few, many = looks(host, asked, lambda: device.find(volume(3)))
    print(f"{few} looks beside {FEW} volumes, {many} beside {MANY}")
    assert len(device.find(volume(3)).disks) == PATHS
    assert many - few == (MANY - FEW) * PATHS


def test_an_attach_looks_once_at_each_disk_of_others(host: Host, asked: Asked) -> None:
    """However long multipathd takes for the map: that is looked for above the volume's own disks."""
    for number, portal in enumerate(("10.9.0.1:3260", "10.9.1.1:3260")):
        host.session(number, portal)
    late, obey = threading.Event(), host._obey

    def slow(word: str) -> str:
        if word.startswith("add map"):
            late.wait(1)
        return obey(word)

    host._obey = slow  # type: ignore[method-assign, assignment]
    few, many = looks(host, asked, lambda: attached(host))
    print(f"{few} looks beside {FEW} volumes, {many} beside {MANY}")
    assert many - few <= (MANY - FEW) * PATHS * FLAT


def attached(host: Host) -> None:
    """Attach a volume that the array shows on a LUN of its own: another each time."""
    uid = UID if host.luns == {} else OTHER
    lun = 900 + len(host.luns)
    host.luns.update({(number, 0, lun): (uid, GIB) for number in (0, 1)})
    portals = [Portal.parse(f"10.9.{number}.1:3260") for number in (0, 1)]
    paths = tuple(IscsiPath(one, Iqn.parse(TARGET), Lun.parse(lun)) for one in portals)
    request = AttachRequest(
        RequestId("test1"), VolumeUid.parse(uid), Bytes.parse(GIB), paths, Multipath.REQUIRED, 60000
    )
    reply = attaching.attach(request, Settings())
    assert (reply.multipath, len(reply.found)) == (True, 2)


def test_a_node_that_goes_down_reads_the_mounts_once_for_all_volumes(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(host, 0, FEW)
    volumes = device.every([])
    read: list[str] = []
    table = mounts.table

    def counted(process: str = "self") -> list[mounts.Row]:
        read.append(process)
        return table(process)

    monkeypatch.setattr(mounts, "table", counted)
    assert shutdown._processes(volumes, Settings()) == []
    assert read == ["self"]
