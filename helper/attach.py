"""Attach: sessions, one LUN scanned behind each, every disk proven, the map made (safety.md, Attach)."""

import contextlib
import fcntl
import functools
import time

from helper import child, device, fc, iscsi, mounts, multipath, scsi
from helper.detach import remove
from helper.identity import check
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.verbs import AttachReply, AttachRequest, FcPath, IscsiPath, RefusedPath

Path = IscsiPath | FcPath
Way = tuple[Path, scsi.Session | fc.Port | Fault]

_MOST = 16  # paths: each gets a process of its own, and the unit bounds them (TasksMax=)
_FLAT = 0x4000  # flat space addressing
_DISK, _LUN = 0.6, 0.75  # shares of the patience asked for: a disk found and proven, in it the LUN to be seen
_GRACE, _SLOW = 2, 0.02  # seconds, or that share, that slow disks get once one has answered
_OTHERS = 2  # seconds at most for a verb that works on the volume whose disk is in the way
_MAP, _MAP_OF_MANY = 0.75, 0.9  # shares of the time left for a map that one, that several disks would like


def attach(request: AttachRequest, settings: Settings) -> AttachReply:
    """Return the volume's device with the disks that were proven and the paths that were refused."""
    settings.check(request.uid, (*request.paths, *request.fc_paths))
    # Over Fibre Channel each port counts for every adapter that sees it.
    if (many := len(request.paths) + len(fc.connect(request.fc_paths))) > _MOST:
        raise Fault(Code.BAD_REQUEST, f"{many} paths are asked for, more than {_MOST}.")
    deadline = time.monotonic() + request.wait_ms / 1000
    with hold(request.uid, request.op, deadline), iscsi.using(deadline) as kept:
        if not kept:
            raise Fault(Code.LOCK_TIMEOUT, "Sessions to the array are just being ended: ask again.")
        if request.add_only:
            _require_use(request, deadline)
        found, refused = _disks(request, deadline)
        if not found:
            raise _no_path(request, [fault for _, fault in refused])
        volume = _assemble(request, found, deadline, demanded=settings.demanded(request.multipath))
        if request.add_only:
            found = [disk.name for disk in volume.members if disk.name in found]
        else:
            device.verify(volume, request.size, deadline, tuple(found))  # what else is in the map
        told = multipath.queueing(request.uid, deadline) if volume.map else ""
        if volume.map and told.startswith("off") and not request.add_only:
            # by a Detach that was killed before it removed the map; where it is configured so, it stays so
            multipath.ask(f"restorequeueing map {volume.map.label}", deadline)
            told = multipath.queueing(request.uid, deadline)
    left_out = tuple(_left_out(path, fault) for path, fault in refused)
    return AttachReply(volume.link, volume.map is not None, tuple(found), left_out, told)


def _require_use(request: AttachRequest, deadline: float) -> None:
    """Refuse to add a path to what is not mounted through a map: an Attach without `add_only` may do it."""
    volume = device.find(request.uid)
    number = volume.map.number if volume.map and volume.map.size == request.size else ""
    look = functools.partial(mounts.everywhere, {number})
    if not (number and child.apart(look, deadline, "The look for mounts", request.uid)):
        text = f"Volume {request.uid} is not mounted here through a map of {request.size} bytes."
        raise Fault(Code.NO_MULTIPATH, f"{text} No path is added to it.", uid=request.uid)


def _left_out(path: Path, fault: Fault) -> RefusedPath:
    where = (path, None) if isinstance(path, IscsiPath) else (None, path)
    return RefusedPath(fault.code, fault.sentence, *where)


def _disks(request: AttachRequest, deadline: float) -> tuple[list[str], list[tuple[Path, Fault]]]:
    """Return the names of the proven disks, and the paths without one."""
    sessions = iscsi.connect(request.paths, deadline, again=request.add_only)
    said: list[Way] = [*sessions.items(), *fc.connect(request.fc_paths)]
    reached(Step.HELPER_ATTACH_LOGGED_IN)
    ready = [(path, way) for path, way in said if not isinstance(way, Fault)]
    refused = [(path, way) for path, way in said if isinstance(way, Fault)]
    patience = deadline - time.monotonic()
    soon = deadline - patience * (1 - _DISK)
    end = soon - patience / 10
    jobs = [functools.partial(_disk, request, path, way.at, end) for path, way in ready]
    found = []
    answers = child.gather(jobs, soon, "A disk", request.uid, grace=max(_GRACE, patience * _SLOW))
    reached(Step.HELPER_ATTACH_SCANNED)
    for (path, way), answer in zip(ready, answers, strict=True):
        if isinstance(answer, str):
            found.append(answer)
            if isinstance(way, scsi.Session):
                iscsi.note_use(way)
        else:
            fault = Fault(Code.NO_PATH, f"LUN {path.lun} behind {path}: {answer}.")
            refused.append((path, answer if isinstance(answer, Fault) else fault))
    return found, refused


def _disk(request: AttachRequest, path: Path, at: str, deadline: float) -> str:
    """Return the proven disk of one path; a wrong one that nobody uses is removed and sought once more.

    From 256 on a LUN has two spellings, and the kernel keeps the one of the array: flat (0x4000 and the
    number, SAM-5 4.7.3), else as it is. The second, by which an array may mean another LUN, is asked for only
    while the first shows nothing. Who adds only removes what its own scan brought, and seeks no further.
    """
    numbers = (path.lun | _FLAT, path.lun) if path.lun > 255 else (path.lun,)

    def appears() -> str:
        for hctl in (f"{at}:{number}" for number in numbers):
            if not scsi.exists(hctl):
                scsi.scan(hctl)
            if scsi.exists(hctl):  # its disk has a name a moment later
                return scsi.name_at(hctl)
        return ""

    came = not any(scsi.exists(f"{at}:{number}") for number in numbers)
    for last in (False, True):
        now = time.monotonic()
        if not (name := child.until(appears, now + (deadline - now) * _LUN, 0.02)):
            text = f"The array's {path} shows no LUN {path.lun} to this host ({at}): see the mapping there."
            raise Fault(Code.NO_PATH, text, lun=path.lun)
        child.until(lambda: scsi.opens(name), deadline, 0.005)
        try:
            check(name, request.uid, request.size)
            break
        except Fault as fault:
            if fault.code is Code.NOT_OURS or (request.add_only and not came):
                raise
            _remove_stale(name, request, fault, deadline)
            reached(Step.HELPER_ATTACH_STALE_REMOVED)
            if last or request.add_only:
                raise
    return name


def _remove_stale(name: str, request: AttachRequest, fault: Fault, deadline: float) -> None:
    """Remove a disk that is not what it should be; raise `fault`, with who uses it, when it cannot be.

    Nor is it removed while another verb works on the volume that it is: a Mount looks for users first, and
    opens it then. Whoever else only removes disks of that one works beside.
    """
    disk = scsi.disk(name)
    if disk is None:
        return
    own, now = disk.uid == request.uid, time.monotonic()
    lock = hold(disk.uid, request.op, now + min(_OTHERS, (deadline - now) / 2), fcntl.LOCK_SH)
    try:
        with lock if disk.uid and not own else contextlib.nullcontext():
            if remove(name, disk.uid, deadline):
                return
        why, held = "the kernel does not let it go", ""
    except Fault as kept:
        held = str(kept.fields.get("holder", ""))
        why = f"in use by {disk.uid or 'nobody known'}: {held}" if held else str(kept)
    mend = "it is a path of this very volume, and must answer again" if own else "end that first"
    raise Fault(fault.code, f"{fault} It stays ({why}): {mend}.", **fault.fields | {"held": held})


def _assemble(request: AttachRequest, found: list[str], deadline: float, *, demanded: bool) -> device.Volume:
    now = time.monotonic()
    wished = _MAP if len(found) == 1 else _MAP_OF_MANY
    soon = deadline if demanded else now + (deadline - now) * wished
    with contextlib.suppress(*() if demanded else (Fault,)):
        multipath.assemble(request.uid, found, request.size, soon, add_only=request.add_only)
    reached(Step.HELPER_ATTACH_MAP_MADE)
    volume = device.find(request.uid)
    if demanded:
        device.demand_map(volume)
    return volume


def _no_path(request: AttachRequest, faults: list[Fault]) -> Fault:
    """Return why no path works; one that shows another volume is the worse news and gives code and fields."""
    bad = (Code.WRONG_DEVICE, Code.NOT_OURS)
    worst = next((fault for fault in faults if fault.code in bad), None)
    said = " ".join(dict.fromkeys(str(fault) for fault in faults)) or "The array names none."
    fields = {**(worst.fields if worst else {}), "uid": request.uid}
    code = worst.code if worst else Code.NO_PATH
    return Fault(code, f"Volume {request.uid} has no path that works. {said}", **fields)
