"""1 to 300 volumes with four paths each on one node: what one costs does not grow with how many there are.

What the kernel is asked is counted, not timed: files opened and directories listed below the fake sysfs by
this thread. A volume beside others costs one look at each of their disks, for nothing in sysfs is found by
what it remembers; everything else is looked for from the volume's own disks on. That one look is linear, and
cannot be left out: a stale disk that remembers the volume's UID may lie behind any name.
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
from tests.figures import note
from tests.helper.sysfs import GIB, TARGET, Sysfs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.host import Host

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.measured, pytest.mark.timeout(300)]
SIZES, PATHS = (1, 10, 100, 300), 4
FEW, MANY = 10, 300
FLAT = 1.1  # what a volume may cost beside many, of what it costs beside few
PART = "volumes-on-a-node"


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


def looks(host: Host, asked: Asked, job: Callable[[], object]) -> dict[int, int]:
    """Return how often the kernel is asked, by the number of volumes that are there."""
    found, made = {}, 0
    for size in SIZES:
        fill(host, made, size)
        made = size
        found[size] = asked.of(host.root, job)
    return found


def test_a_look_at_every_volume_costs_the_same_for_each(host: Host, asked: Asked) -> None:
    found: list[int] = []

    def job() -> None:
        replies = inspect(InspectRequest(RequestId("test1")), Settings(), more=True)
        assert all(len(one.paths) == PATHS and one.multipath for one in replies)
        found.append(len(replies))

    each = {size: count / size for size, count in looks(host, asked, job).items()}
    for size, count in each.items():
        note(PART, "a look at all: looks at sysfs for each", count, "looks", FLAT * each[FEW], at=size)
    print(each)
    assert tuple(found) == SIZES
    assert 0 < each[MANY] <= FLAT * each[FEW]


def test_a_volume_beside_many_costs_one_look_at_each_of_their_disks(host: Host, asked: Asked) -> None:
    found = looks(host, asked, lambda: device.find(volume(0)))
    for size, count in found.items():
        note(PART, "one volume found beside others: looks at sysfs", count, "looks", at=size)
    print(found)
    assert len(device.find(volume(0)).disks) == PATHS
    assert found[MANY] - found[FEW] == (MANY - FEW) * PATHS


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
    found = looks(host, asked, lambda: attached(host))
    for size, count in found.items():
        note(PART, "an attach beside others: looks at sysfs", count, "looks", at=size)
    more = (found[MANY] - found[FEW]) / (MANY - FEW) / PATHS
    note(PART, "an attach: looks at each disk of others", more, "looks", FLAT)
    print(found)
    assert 0 < more <= FLAT


def attached(host: Host) -> None:
    """Attach a volume that the array shows on a LUN of its own: another each time."""
    lun = 900 + len(host.luns)
    uid = volume(lun)
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

    def counted(process: str = "self", numbers: set[str] | None = None) -> list[mounts.Row]:
        read.append(process)
        return table(process, numbers)

    monkeypatch.setattr(mounts, "table", counted)
    assert shutdown._processes(volumes, Settings()) == []
    assert read == ["self"]
