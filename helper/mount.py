"""Mount, Bind, Unmount: each looks at its target again before it says that it is done (safety.md 22)."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from helper import child, device, mounts, multipath, scsi
from helper.format import prepare
from helper.mounts import Row
from helper.program import run
from helper.settings import Settings
from helper.target import Place, Target, parse, walk
from helper.volume import hold
from instorage.wire import verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.values import VolumeUid

T = TypeVar("T")

_WAIT = 30  # seconds for a volume's lock, a mount, an unmount
_ANSWER = 15  # seconds for the disks to say who they are
_FSCK = 900


def mount(request: verbs.MountRequest, settings: Settings) -> verbs.MountReply:
    """Mount a volume on its device-mount target, formatted first if it is proven new."""
    settings.check(request.uid)
    target = parse(request.target, settings)
    if not target.is_device:
        raise Fault(Code.NOT_ALLOWED, f"{request.target} is no device mount.", target=request.target)
    if request.shared and not request.read_only:
        text = f"Volume {request.uid} has other readers: it is not mounted read-write."
        raise Fault(Code.NOT_ALLOWED, text)
    with hold(request.uid, request.op, time.monotonic() + _WAIT), walk(target, create=True) as place:
        volume = device.find(request.uid)
        if settings.demanded(request.multipath):
            device.demand_map(volume)
        device.verify(volume, request.size, time.monotonic() + _ANSWER)
        if row := place.row():
            return _already(request, volume, row)
        with _held(volume) as path:
            kind, formatted = prepare(request, path)
            if kind.startswith("ext") and not request.read_only and not formatted:
                _check(request.uid, path)
            _mount(request, place, volume, kind)
    return verbs.MountReply(volume.link, kind, formatted)


def _already(request: verbs.MountRequest, volume: device.Volume, row: Row) -> verbs.MountReply:
    if row.number not in volume.numbers:
        raise _not_ours(row)
    if row.read_only and not request.read_only:
        text = f"Volume {request.uid} is mounted read-only on {request.target} and asked for read-write: "
        text += "if nobody wanted it so, the kernel found an error; see its log, end the pod, repair."
        raise Fault(Code.FILE_SYSTEM, text, uid=request.uid, target=request.target)
    return verbs.MountReply(volume.link, row.fs_type, already=True)


@contextlib.contextmanager
def _held(volume: device.Volume) -> Iterator[str]:
    """Hold a device that nobody else uses: as long as it is open, its name cannot become another's."""
    assert volume.top  # noqa: S101  # verified
    try:
        os.close(scsi.exclusive(volume.top.name))
    except OSError as error:
        busy = [*mounts.everywhere(volume.numbers), *volume.holders(), str(error.strerror)]
        text = f"Volume {volume.uid} is already used ({busy[0]}): end that first."
        raise Fault(Code.DEVICE_BUSY, text, uid=volume.uid, holder=busy[0]) from None
    path = f"{scsi.DEV}/{volume.top.name}"
    node = os.open(path, os.O_RDONLY)
    number = os.fstat(node).st_rdev
    try:
        if f"{os.major(number)}:{os.minor(number)}" != volume.top.number:
            raise Fault(Code.WRONG_DEVICE, f"{path} has become another device.", uid=volume.uid)
        yield path
    finally:
        os.close(node)


def _check(uid: str, path: str) -> None:
    answer = run("fsck.ext4", "-a", "--", path, deadline=time.monotonic() + _FSCK, accept=tuple(range(256)))
    reached(Step.HELPER_MOUNT_CHECKED)
    if answer.status > 1:  # 0: clean, 1: corrected
        text = f"The file system of volume {uid} is damaged: run fsck by hand. {answer.out[-300:]}"
        raise Fault(Code.FILE_SYSTEM, text, uid=uid, status=answer.status)


def _mount(request: verbs.MountRequest, place: Place, volume: device.Volume, kind: str) -> None:
    flags = _flags(request.options, read_only=request.read_only)
    assert volume.top  # noqa: S101  # verified
    source = f"mapper/{volume.map.label}" if volume.map else ""
    if scsi.place(f"{scsi.DEV}/{source}") != f"{scsi.DEV}/{volume.top.name}":
        source = volume.top.name  # udev has not come to it yet
    data = ["nouuid"] if kind == "xfs" else []
    if request.shared:  # ext and xfs replay their journal even on a read-only mount
        data += ["norecovery"] if kind == "xfs" else ["noload"]
        for one in (*volume.disks, volume.top):
            scsi.forbid_writes(one.name)
    extra = ",".join(data)
    call(place, lambda: _mount_at(place, f"{scsi.DEV}/{source}", kind, flags, extra), "mount", volume.uid)
    reached(Step.HELPER_MOUNT_MOUNTED)
    row = place.seen()
    wanted = (volume.top.number, request.read_only)
    _prove(place, volume.uid, good=row is not None and (row.number, row.read_only) == wanted)


def _prove(place: Place, uid: str, *, good: bool) -> None:
    """Leave the target as it was unless what is there now is what was wanted."""
    if not good:
        call(place, lambda: mounts.unmount(place.parent, place.target.name), "unmount", uid)
        text = f"What came up on {place.target.text} is not volume {uid} as asked for: unmounted again."
        raise Fault(Code.FILE_SYSTEM, text, uid=uid, target=place.target.text)


def _flags(options: Iterable[str], *, read_only: bool) -> int:
    flags = mounts.NOSUID | mounts.NODEV | (mounts.RDONLY if read_only else 0)
    return flags | sum({mounts.OPTIONS.get(option, 0) for option in options})  # a bit each


def _mount_at(place: Place, source: str, kind: str, flags: int, data: str = "") -> None:
    mounts.mount(source, f"/proc/self/fd/{place.open()}", kind, flags, data)


def bind(request: verbs.BindRequest, settings: Settings) -> verbs.BindReply:
    """Bind a device mount of a volume of ours to a pod's directory of the same name."""
    source, target = parse(request.source, settings), parse(request.target, settings)
    if not source.is_device or target.is_device or source.name != target.name:
        text = f"{request.source} is not the device mount that belongs to {request.target}."
        raise Fault(Code.NOT_ALLOWED, text, target=request.target)
    with contextlib.ExitStack() as stack:
        origin, row, uid = volume_on(source, stack)
        if row.read_only and not request.read_only:
            text = f"{request.target} is asked for read-write, but volume {uid} is mounted read-only on "
            text += f"{request.source}, for the pod that came first: let both ask for the same."
            raise Fault(Code.FILE_SYSTEM, text, uid=uid, source=request.source)
        stack.enter_context(hold(uid, request.op, time.monotonic() + _WAIT))
        if origin.row() != row:
            raise Fault(Code.DEVICE_BUSY, f"{request.source} is just being unmounted.", uid=uid)
        place = stack.enter_context(walk(target, create=True))
        return _bind(origin, place, row, uid, read_only=request.read_only)


def _bind(origin: Place, place: Place, row: Row, uid: str, *, read_only: bool) -> verbs.BindReply:
    there = place.row()
    if there and there.number != row.number:
        raise _not_ours(there)
    flags = mounts.REMOUNT | mounts.BIND | _flags(row.options, read_only=read_only)

    def both() -> None:
        whole = there is None and mounts.bind(origin.open(), place.open(), read_only=read_only)
        if there is None and not whole:
            _mount_at(place, f"/proc/self/fd/{origin.open()}", "", mounts.BIND)
        reached(Step.HELPER_BIND_BOUND)
        if not whole:
            _mount_at(place, "", "", flags)

    call(place, both, "bind", uid)
    reached(Step.HELPER_BIND_RESTRICTED)
    found = place.seen()
    wanted = (row.number, read_only)
    _prove(place, uid, good=found is not None and (found.number, "ro" in found.options) == wanted)
    return verbs.BindReply(already=there is not None)


def volume_on(target: Target, stack: contextlib.ExitStack, uid: str = "") -> tuple[Place, Row, str]:
    """Hold a target on which the whole of a volume (`uid`) is mounted, with that mount and the UID."""
    with contextlib.suppress(FileNotFoundError):
        place = stack.enter_context(walk(target))
        row = place.row()
        found = device.uid_of(row.number) if row and row.root == "/" else None
        if row and found and uid in ("", found):
            return place, row, found
    text = f"{f'Volume {uid} is not' if uid else 'No volume is'} mounted on {target.text}."
    raise Fault(Code.NOT_OURS, text, target=target.text)


def unmount(request: verbs.UnmountRequest, settings: Settings) -> verbs.UnmountReply:
    """Sync and unmount what is on a target, if it is a volume of ours; nothing there is success."""
    target = parse(request.target, settings)
    uid = None
    with contextlib.suppress(FileNotFoundError), walk(target) as place:
        while row := place.row():
            found = device.uid_of(row.number)
            if found == "":
                raise _not_ours(row)
            with hold(found or "gone", request.op, time.monotonic() + _WAIT):
                if found:
                    _end_queueing(found)
                call(place, lambda: mounts.unmount(place.parent, target.name), "unmount", found or "")
            reached(Step.HELPER_UNMOUNT_UNMOUNTED)
            uid = VolumeUid.parse(found) if found else uid
    return verbs.UnmountReply(uid)


def _end_queueing(uid: str) -> None:
    """Let what can never be written fail: no path will come back to a volume that was unmapped (fenced)."""
    volume, deadline = device.find(uid), time.monotonic() + _ANSWER
    if volume.map and device.unmapped(volume, deadline):
        multipath.ask(f"disablequeueing map {volume.map.label}", deadline)


def _not_ours(row: Row) -> Fault:
    text = f"On {row.target} is a mount of {row.source} ({row.fs_type}), not of this volume: end it by hand."
    return Fault(Code.NOT_OURS, text, target=row.target, source=row.source)


def call(place: Place, job: Callable[[], T], what: str, uid: str, seconds: float = _WAIT) -> T:
    """Do system calls in a child; their error becomes a sentence."""
    try:
        return child.apart(job, time.monotonic() + seconds, f"{what} on {place.target.text}", uid)
    except OSError as error:
        code = Code.DEVICE_BUSY if error.errno == errno.EBUSY else Code.FILE_SYSTEM
        text = f"{what} on {place.target.text} failed ({error.strerror}): see the kernel's log."
        raise Fault(code, text, target=place.target.text) from None
