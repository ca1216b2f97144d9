"""Mount, Bind, Unmount: each looks at its target again before it says that it is done (safety.md 22)."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator

from helper import child, device, format, mounts, scsi  # noqa: A004  # the module is named after what it does
from helper.mounts import Row
from helper.program import run
from helper.settings import Settings
from helper.target import Place, parse, walk
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import (
    BindReply,
    BindRequest,
    MountReply,
    MountRequest,
    UnmountReply,
    UnmountRequest,
)

_WAIT = 60  # seconds for a volume's lock, a mount, an unmount
_ANSWER = 15  # seconds for the disks to say who they are
_FSCK = 900
_ALWAYS = mounts.NOSUID | mounts.NODEV
_FSCK_GOOD = (0, 1)  # clean; corrected


def mount(request: MountRequest, settings: Settings) -> MountReply:
    """Mount a volume on its device-mount target, formatted first if it is proven new."""
    settings.check(request.uid)
    target = parse(request.target, settings)
    if not target.is_device:
        raise Fault(Code.NOT_ALLOWED, f"{request.target} is no device mount.", target=request.target)
    with hold(request.uid, request.op, time.monotonic() + _WAIT), walk(target, create=True) as place:
        volume = device.find(request.uid)
        if settings.demanded(request.multipath):
            device.demand_map(volume)
        device.verify(volume, request.size, time.monotonic() + _ANSWER)
        if row := place.row():
            return _already(request, volume, row)
        with _held(volume) as path:
            kind, formatted = format.prepare(request, path)
            _mount(request, place, volume, path, kind, fresh=formatted)
    return MountReply(device=volume.link, fs_type=kind, formatted=formatted)


def _already(request: MountRequest, volume: device.Volume, row: Row) -> MountReply:
    if row.number not in volume.numbers:
        raise _not_ours(row)
    if row.read_only and not request.read_only:
        raise Fault(
            Code.FILE_SYSTEM,
            f"Volume {request.uid} is mounted on {request.target} read-only (its options: "
            f"{','.join(row.options)}; the file system's: {','.join(row.super_options)}) and is asked for "
            "read-write: if nobody wanted it so, the kernel found an error; see its log, unmount, repair.",
            target=request.target,
        )
    return MountReply(device=volume.link, fs_type=row.fs_type, already=True)


@contextlib.contextmanager
def _held(volume: device.Volume) -> Iterator[str]:
    """Hold a device that nobody else uses: as long as it is open, its name cannot become another's."""
    path = f"{scsi.DEV}/{volume.name}"
    try:
        os.close(scsi.exclusive(volume.name))
    except OSError as error:
        busy = mounts.everywhere(volume.numbers) or scsi.holders(volume.name) or [str(error)]
        raise Fault(
            Code.DEVICE_BUSY,
            f"Volume {volume.uid} is already used by {', '.join(busy[:5])}: end that first.",
            uid=volume.uid,
            holder=busy[0],
        ) from None
    node = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _number(os.fstat(node).st_rdev) not in volume.numbers:
            raise Fault(Code.WRONG_DEVICE, f"{path} has become another device.", device=path)
        yield path
    finally:
        os.close(node)


def _mount(
    request: MountRequest, place: Place, volume: device.Volume, path: str, kind: str, *, fresh: bool
) -> None:
    if kind.startswith("ext") and not request.read_only and not fresh:
        try:
            run("fsck.ext4", "-a", "--", path, deadline=time.monotonic() + _FSCK, accept=_FSCK_GOOD)
        except Fault as fault:
            raise Fault(
                Code.FILE_SYSTEM,
                f"The file system of volume {request.uid} is damaged and was not repaired by itself: {fault} "
                "Run fsck by hand.",
                uid=request.uid,
            ) from None
    flags = _ALWAYS | (mounts.RDONLY if request.read_only else 0)
    for option in request.options:
        flags |= mounts.OPTIONS[option]
    source = f"{scsi.DEV}/mapper/{volume.map.label}" if volume.map else path
    data = "nouuid" if kind == "xfs" else ""
    _call(place, functools.partial(_mount_at, place, source, kind, flags, data), "mount", volume.uid)
    row = place.row()
    if row is None or row.number not in volume.numbers or row.read_only != request.read_only:
        _call(
            place, functools.partial(mounts.unmount, place.parent, place.target.name), "unmount", volume.uid
        )
        raise Fault(
            Code.FILE_SYSTEM,
            f"What is mounted on {request.target} is not volume {request.uid} as asked for; unmounted again.",
            target=request.target,
        )


def _mount_at(place: Place, source: str, kind: str, flags: int, data: str) -> None:
    mounts.mount(source, f"/proc/self/fd/{place.open()}", kind, flags, data)


def bind(request: BindRequest, settings: Settings) -> BindReply:
    """Bind a device mount of a volume of ours to a pod's directory of the same name."""
    source, target = parse(request.source, settings), parse(request.target, settings)
    if not source.is_device or target.is_device or source.name != target.name:
        raise Fault(
            Code.NOT_ALLOWED,
            f"{request.source} is not the device mount that belongs to {request.target}.",
            target=request.target,
        )
    with contextlib.ExitStack() as stack:
        try:
            origin = stack.enter_context(walk(source))
            row = origin.row()
        except FileNotFoundError:
            row = None
        uid = device.uid_of(row.number) if row else None
        if row is None or not uid or row.root != "/":
            raise Fault(Code.NOT_OURS, f"No volume is mounted on {request.source}.", source=request.source)
        if row.read_only and not request.read_only:
            raise Fault(
                Code.FILE_SYSTEM,
                f"{request.target} is asked for read-write, but volume {uid} is mounted read-only on "
                f"{request.source}, for the pod that came first: let both ask for the same.",
                uid=uid,
                source=request.source,
            )
        stack.enter_context(hold(uid, request.op, time.monotonic() + _WAIT))
        place = stack.enter_context(walk(target, create=True))
        return _bind(request, origin, place, row, uid)


def _bind(request: BindRequest, origin: Place, place: Place, row: Row, uid: str) -> BindReply:
    there = place.row()
    if there and there.number != row.number:
        raise _not_ours(there)
    flags = _ALWAYS | (mounts.RDONLY if request.read_only else 0)
    for option in row.options:
        flags |= mounts.OPTIONS.get(option, 0)
    if there is None:
        _call(place, functools.partial(_bind_at, origin, place), "bind", uid)
    _call(
        place,
        functools.partial(_mount_at, place, "", "", mounts.REMOUNT | mounts.BIND | flags, ""),
        "bind",
        uid,
    )
    found = place.row()
    if found is None or found.number != row.number or ("ro" in found.options) != request.read_only:
        raise Fault(Code.FILE_SYSTEM, f"{request.target} did not become a mount of volume {uid}.", uid=uid)
    return BindReply(already=there is not None)


def _bind_at(origin: Place, place: Place) -> None:
    mounts.mount(f"/proc/self/fd/{origin.open()}", f"/proc/self/fd/{place.open()}", "", mounts.BIND)


def unmount(request: UnmountRequest, settings: Settings) -> UnmountReply:
    """Sync and unmount what is on a target, if it is a volume of ours; nothing there is success."""
    target = parse(request.target, settings)
    uid = None
    try:
        with walk(target) as place:
            while row := place.row():
                found = device.uid_of(row.number)
                if found == "":
                    raise _not_ours(row)
                with hold(found or "gone", request.op, time.monotonic() + _WAIT):
                    leave = functools.partial(mounts.unmount, place.parent, target.name)
                    _call(place, leave, "unmount", found or "")
                uid = VolumeUid.parse(found) if found else uid
    except FileNotFoundError:
        pass
    return UnmountReply(uid)


def _not_ours(row: Row) -> Fault:
    return Fault(
        Code.NOT_OURS,
        f"{row.target} is a mount of {row.source} ({row.fs_type}), not this volume: unmount it by hand.",
        target=row.target,
        source=row.source,
    )


def _call(place: Place, job: functools.partial[None], what: str, uid: str) -> None:
    """Do one system call in a child; its error becomes a sentence."""
    try:
        child.apart(job, time.monotonic() + _WAIT, f"{what} on {place.target.text}", uid)
    except OSError as error:
        raise Fault(
            Code.DEVICE_BUSY if error.errno == 16 else Code.FILE_SYSTEM,
            f"{what} on {place.target.text} failed: {error.strerror}; see the kernel's log and who uses it.",
            target=place.target.text,
        ) from None


def _number(device_number: int) -> str:
    return f"{os.major(device_number)}:{os.minor(device_number)}"
