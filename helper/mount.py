"""Mount: a volume on its device-mount target, proven, held, checked, and looked at again (safety.md 22)."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator

from helper import child, content, device, multipath, scsi
from helper.format import prepare
from helper.mounted import WAIT, call, flags, hand_out, mount_at, not_ours, prove
from helper.mounts import Row
from helper.program import ANY, run
from helper.settings import Settings
from helper.target import Place, parse, walk
from helper.users import busy, users
from helper.volume import hold
from instorage.wire import verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached

_ANSWER = 15  # seconds for the disks to say who they are
_FSCK, _FSCK_BYTES = 900, 1 << 30  # seconds for fsck, and bytes for each of which it gets one more
_MAP = 5  # seconds for a map that came too late for the attach
_LET_GO = 15  # seconds at most for udev to have looked at a device that was just found (6 on a loaded node)


def mount(request: verbs.MountRequest, settings: Settings) -> verbs.MountReply:
    """Mount a volume on its device-mount target, formatted first if it is proven new."""
    settings.check(request.uid)
    target = parse(request.target, settings)
    if not target.is_device:
        raise Fault(Code.NOT_ALLOWED, f"{request.target} is no device mount.", target=request.target)
    if request.shared and not request.read_only:
        text = f"Volume {request.uid} has other readers: it is not mounted read-write."
        raise Fault(Code.NOT_ALLOWED, text)
    with hold(request.uid, request.op, time.monotonic() + WAIT), walk(target, create=True) as place:
        volume = device.find(request.uid)
        demanded = settings.demanded(request.multipath)
        if row := place.row():
            return _already(request, volume, place, row, demanded=demanded)
        volume = _with_map(request, volume, demanded=demanded)
        with _held(volume, request.size) as path:
            kind, formatted = prepare(request, path)
            if kind.startswith("ext") and not request.read_only and not formatted:
                _check(request, path)
            _mount(request, place, volume, kind)
    return _reply(volume, kind, formatted=formatted)


def _reply(volume: device.Volume, kind: str, **said: bool) -> verbs.MountReply:
    mapped, paths = volume.map is not None, len(volume.disks)
    return verbs.MountReply(volume.link, kind, multipath=mapped, paths=paths, **said)


def _with_map(request: verbs.MountRequest, volume: device.Volume, *, demanded: bool) -> device.Volume:
    """Have a map that came too late for the attach: once a bare disk is mounted, multipathd can take none."""
    if volume.map is None and len(volume.disks) > 1 and not users(volume, _soon(), programs=False):
        device.verify(volume, request.size, _soon())
        with contextlib.suppress(Fault):
            multipath.assemble(request.uid, [one.name for one in volume.disks], request.size, _soon(_MAP))
        volume = device.find(request.uid)
    if demanded and volume.disks:  # without any it is not here at all, and that is said
        device.demand_map(volume)
    return volume


def _soon(seconds: float = _ANSWER) -> float:
    return time.monotonic() + seconds


def _already(
    request: verbs.MountRequest, volume: device.Volume, place: Place, row: Row, *, demanded: bool
) -> verbs.MountReply:
    if row.root != "/" or row.number not in [one.number for one in (volume.map, *volume.disks) if one]:
        raise not_ours(row)  # nor is a part of it
    device.verify(volume, request.size, _soon())
    if demanded and (volume.map is None or row.number != volume.map.number):
        text = f"Volume {request.uid} is mounted on {request.target} over a single path, and a multipath map "
        text += "is demanded: end the pods that use it first."
        raise Fault(Code.NO_MULTIPATH, text, uid=request.uid)
    hand_out(place, row, request.uid, read_only=request.read_only)
    return _reply(volume, row.fs_type, already=True)


@contextlib.contextmanager
def _held(volume: device.Volume, size: int) -> Iterator[str]:
    """Hold a device that nobody else uses, and prove what it is: while it is open its name is its own."""
    if found := users(volume, _soon(_LET_GO + _ANSWER), let_go=_LET_GO):
        raise busy(volume.uid, found)
    if volume.top is None:
        device.verify(volume, size, _soon())
    path = f"{scsi.DEV}/{volume.top.name if volume.top else ''}"
    with child.keeping(lambda: _number(path), _soon(), f"Opening {path}", volume.uid) as number:
        if volume.top is None or number != volume.top.number:
            raise Fault(Code.WRONG_DEVICE, f"{path} has become another device.", uid=volume.uid)
        device.verify(volume, size, _soon())
        yield path


def _number(path: str) -> str:
    """Open a device for as long as this process lives; return its major:minor. May hang."""
    found = os.fstat(os.open(path, os.O_RDONLY)).st_rdev
    return f"{os.major(found)}:{os.minor(found)}"


def _check(request: verbs.MountRequest, path: str) -> None:
    """Have fsck repair what it safely can, with time for the whole of a large file system."""
    deadline = time.monotonic() + _FSCK + request.size / _FSCK_BYTES
    answer = run("fsck.ext4", "-a", "--", path, deadline=deadline, accept=ANY, device=path)
    reached(Step.HELPER_MOUNT_CHECKED)
    if answer.status > 1:  # 0: clean, 1: corrected
        text = f"The file system of volume {request.uid} is damaged: run fsck by hand. {answer.out[-300:]}"
        raise Fault(Code.FILE_SYSTEM, text, uid=request.uid, status=answer.status)


def _mount(request: verbs.MountRequest, place: Place, volume: device.Volume, kind: str) -> None:
    bits = flags(request.options, read_only=request.read_only)
    assert volume.top  # noqa: S101  # verified
    node = f"{scsi.DEV}/mapper/{volume.map.label}" if volume.map else ""
    if scsi.place(node) != (real := f"{scsi.DEV}/{volume.top.name}"):
        node = real  # udev has not come to it yet
    # else ext goes on writing after an error; an option with a value is SELinux' label for all that is in it
    data = ["nouuid" if kind == "xfs" else "errors=remount-ro", *(o for o in request.options if "=" in o)]
    if request.shared:  # ext and xfs replay their journal even on a read-only mount
        look = functools.partial(content.opened, real, content.unreplayed)
        if kind != "xfs" and call(place, look, "reading the superblock for a mount", volume.uid):
            text = f"Volume {volume.uid} has a writer or one that crashed: end it, or use it read-write once."
            raise Fault(Code.FILE_SYSTEM, text, uid=volume.uid)
        data += ["norecovery"] if kind == "xfs" else ["noload"]
        for one in (*volume.disks, volume.top):
            forbid = functools.partial(scsi.forbid_writes, one.name)
            call(place, forbid, f"BLKROSET of {one.name} for a mount", volume.uid)
    call(place, lambda: mount_at(place, node, kind, bits, ",".join(data)), "mount", volume.uid)
    reached(Step.HELPER_MOUNT_MOUNTED)
    wanted = (volume.top.number, request.read_only)
    prove(place, volume.uid, lambda found: (found.number, found.read_only) == wanted)
