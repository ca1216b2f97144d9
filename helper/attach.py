"""Attach: sessions, one LUN scanned behind each, every disk proven, the map made (safety.md, Attach)."""

import functools
import time

from helper import child, device, iscsi, multipath, scsi
from helper.scsi import Session
from helper.settings import Settings
from helper.volume import hold
from helper.waiting import until
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import AttachReply, AttachRequest, IscsiPath, RefusedPath

_DISK = 10  # seconds for one disk to be found and to answer
_GRACE = 2  # seconds that slow disks get once one has answered
_MAP = 10  # seconds for a map that would be nice to have


def attach(request: AttachRequest, settings: Settings) -> AttachReply:
    """Return the volume's device with the paths that were proven and those that were refused."""
    settings.check(request.uid, request.paths)
    deadline = time.monotonic() + request.wait_ms / 1000
    with hold(request.uid, request.op, deadline):
        found, refused = _disks(request, deadline)
        if not found:
            raise _no_path(request, refused)
        volume = _assemble(request, found, deadline, demanded=settings.demanded(request.multipath))
        device.verify(volume, request.size, deadline)  # also what is in the map and was not asked for
        link = device.await_link(volume, deadline)
    return AttachReply(
        device=link,
        multipath=volume.map is not None,
        found=tuple(found),
        refused=tuple(RefusedPath(path, fault.code, fault.sentence) for path, fault in refused.items()),
    )


def _disks(request: AttachRequest, deadline: float) -> tuple[list[str], dict[IscsiPath, Fault]]:
    """Return the names of the proven disks, and the paths without one."""
    sessions = iscsi.connect(request.paths, deadline)
    refused = {path: one for path, one in sessions.items() if isinstance(one, Fault)}
    ready = {path: one for path, one in sessions.items() if not isinstance(one, Fault)}
    soon = min(deadline, time.monotonic() + _DISK)
    jobs = [functools.partial(_disk, request, path, session, soon) for path, session in ready.items()]
    found = []
    answers = child.gather(jobs, soon, "A disk", request.uid, grace=_GRACE)
    for path, answer in zip(ready, answers, strict=True):
        if isinstance(answer, Fault):
            refused[path] = answer
        elif isinstance(answer, Exception):
            refused[path] = Fault(Code.NO_PATH, f"LUN {path.lun} behind {path.portal}: {answer}.")
        else:
            found.append(answer)
    return found, refused


def _disk(request: AttachRequest, path: IscsiPath, session: Session, deadline: float) -> str:
    """Return the proven disk of one path; a wrong one that nobody uses is removed and sought once more."""
    hctl = f"{session.host}:0:{session.target_id}:{path.lun}"
    name = scsi.name_at(hctl)
    if name:
        try:
            device.check(name, request.uid, request.size)
        except Fault as fault:
            disk = scsi.disk(name)
            foreign = disk is not None and disk.vendor != scsi.VENDOR
            if foreign or not device.unused(name) or not scsi.delete(name, deadline):
                raise _held(fault, name) from None
        else:
            return name
    scsi.scan(session, path.lun)
    name = until(lambda: scsi.name_at(hctl), deadline, 0.005)
    if not name:
        raise Fault(
            Code.NO_PATH,
            f"Portal {path.portal} shows no LUN {path.lun} to this host: see the mapping on the array.",
            portal=str(path.portal),
            lun=path.lun,
        )
    device.check(name, request.uid, request.size)
    return name


def _held(fault: Fault, name: str) -> Fault:
    holders = ", ".join(multipath.uid_of(one) or one for one in scsi.holders(name)) or "a mount or a program"
    return Fault(
        fault.code,
        f"{fault.sentence} It is in use by {holders}: detach that first.",
        **fault.fields,
        held=holders,
    )


def _assemble(request: AttachRequest, found: list[str], deadline: float, *, demanded: bool) -> device.Volume:
    soon = deadline if demanded else min(deadline, time.monotonic() + _MAP)
    try:
        multipath.assemble(request.uid, found, request.size, soon)
    except Fault:
        if demanded:
            raise
    volume = device.find(request.uid)
    if demanded:
        device.demand_map(volume)
    return volume


def _no_path(request: AttachRequest, refused: dict[IscsiPath, Fault]) -> Fault:
    """Return why no path works; one that shows another volume is the worse news and gives the code."""
    wrong = [fault for fault in refused.values() if fault.code is Code.WRONG_DEVICE]
    said = " ".join(dict.fromkeys(str(fault) for fault in refused.values()))
    fields = wrong[0].fields if wrong else {}
    code = Code.WRONG_DEVICE if wrong else Code.NO_PATH
    return Fault(
        code, f"Volume {request.uid} has no path that works. {said}", **{**fields, "uid": request.uid}
    )
