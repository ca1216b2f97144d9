"""Growth after the array's: every path read again, the map resized, the file system grown (safety.md 16)."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator

from helper import child, device, filesystem, multipath, scsi
from helper.identity import check
from helper.mounted import call, hand_out, volume_on
from helper.mounts import Row
from helper.settings import Settings
from helper.target import Place, parse
from helper.volume import hold
from instorage.wire import growth
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import reached
from instorage.wire.verbs import Multipath

_SOON = 0.8  # share of the patience after which a disk or the map is said to have another size
_PAUSE = 0.3  # seconds between two rescans: the second controller of an array may be late
_LOCK = 10  # seconds for the lock of a volume that grows already
_GROW = 90  # seconds for a file system to grow


def rescan(request: growth.RescanRequest, settings: Settings) -> growth.RescanReply:
    """Have every path, then the map, take the size that the array says; refused unless all paths are up."""
    deadline = time.monotonic() + request.wait_ms / 1000
    soon = time.monotonic() + request.wait_ms / 1000 * _SOON
    with hold(request.uid, request.op, soon):
        volume = device.find(request.uid)
        if settings.demanded(Multipath.PREFERRED):
            device.demand_map(volume)
        _each(volume, functools.partial(_up, volume, request.size), deadline)
        _each(volume, functools.partial(_take, request.uid, request.size, soon), deadline)
        reached(growth.Step.HELPER_GROWTH_RESCANNED)
        if volume.map and volume.map.size != request.size:
            _resize(volume.map, request.uid, request.size, soon)
            reached(growth.Step.HELPER_GROWTH_MAP_RESIZED)
    return growth.RescanReply(volume.link, tuple(disk.name for disk in volume.disks))


def _each(volume: device.Volume, job: Callable[[scsi.Disk], None], deadline: float) -> None:
    """Do the same with every disk at once; raise what went wrong with the first of them."""
    jobs = [functools.partial(job, disk) for disk in volume.disks]
    for answer in child.gather(jobs, deadline, f"A disk of volume {volume.uid}", volume.uid):
        if isinstance(answer, Exception):
            raise answer
    if not volume.disks:
        raise Fault(Code.NO_PATH, f"This host has no disk of volume {volume.uid}.", uid=volume.uid)


def _up(volume: device.Volume, size: int, disk: scsi.Disk) -> None:
    """Raise unless a disk works: one that does not would keep its old size in a map that grew."""
    if disk.state != "running":
        text = f"Not all paths of volume {volume.uid} are up: disk {disk.name} is {disk.state}."
        raise Fault(Code.NO_PATH, text, uid=volume.uid, disk=disk.name)
    check(disk.name, volume.uid)
    if size < (largest := max(disk.size, volume.map.size if volume.map else 0)):
        text = f"Volume {volume.uid} has {largest} bytes here, {size} on the array: nothing is made smaller."
        raise Fault(Code.WRONG_DEVICE, text, uid=volume.uid, expected=size, found=largest)


def _take(uid: str, size: int, deadline: float, disk: scsi.Disk) -> None:
    def has() -> bool:
        if scsi.size(disk.name) != size:
            with contextlib.suppress(OSError):
                scsi.rescan(disk.name)
        return scsi.size(disk.name) == size

    if not child.until(has, deadline, _PAUSE):
        found = scsi.size(disk.name)
        text = f"Disk {disk.name} of volume {uid} has {found} bytes, the array says {size}: see its path."
        raise Fault(Code.WRONG_DEVICE, text, disk=disk.name, expected=size, found=found)


def _resize(found: multipath.Map, uid: str, size: int, deadline: float) -> None:
    """Have a map take the size that all its paths have; `Fault(TOOL_FAILED)` when it does not."""
    said = multipath.ask(f"resize map {found.label}", deadline)
    if said != "ok" or not child.until(lambda: scsi.size(found.name) == size, deadline, 0.05):
        text = f"multipathd was to resize the map of volume {uid} to {size} bytes and said «{said}»; it has "
        text += f"{scsi.size(found.name)}: see systemctl status multipathd."
        raise Fault(Code.TOOL_FAILED, text, uid=uid, expected=size, found=scsi.size(found.name))


@contextlib.contextmanager
def mounted(
    request: growth.GrowFilesystemRequest | growth.FreezeRequest, settings: Settings
) -> Iterator[tuple[Place, Row]]:
    """Hold the target on which the volume asked for is mounted, and the volume's lock."""
    settings.check(request.uid)
    target = parse(request.target, settings)
    with hold(request.uid, request.op, time.monotonic() + _LOCK), contextlib.ExitStack() as stack:
        place, row, _ = volume_on(target, stack, request.uid)
        yield place, row


def grow_filesystem(request: growth.GrowFilesystemRequest, settings: Settings) -> growth.GrowFilesystemReply:
    """Have the file system that is mounted on a target fill its device; it may be that large already."""
    with mounted(request, settings) as (place, row):
        hand_out(place, row, request.uid, read_only=False)
        kind, disk = row.fs_type, os.path.basename(scsi.place(f"{scsi.SYS}/dev/block/{row.number}"))
        size = scsi.size(disk)
        what = f"growth of the {kind} of volume {request.uid}"

        def grow() -> int:
            return filesystem.grow(filesystem.opened(place, row), kind, size)

        grown = call(place, grow, what, request.uid, _GROW)
        reached(growth.Step.HELPER_GROWTH_FILE_SYSTEM_GROWN)
    return growth.GrowFilesystemReply(kind, grown)
