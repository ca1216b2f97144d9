"""A volume as this host has it: its SCSI disks and its map, and the proof that they are that volume."""

import errno
import functools
import os
import time
from dataclasses import dataclass

from helper import child, multipath, scsi
from instorage.wire.fault import Code, Fault

_TWICE = 0.5  # seconds for which what every disk says must hold


@dataclass(frozen=True)
class Volume:
    """What sysfs has of a volume; nothing here is proven."""

    uid: str
    map: multipath.Map | None
    disks: tuple[scsi.Disk, ...]

    @property
    def top(self) -> multipath.Map | scsi.Disk | None:
        """What is mounted: the map, else the first disk."""
        return self.map or (self.disks[0] if self.disks else None)

    @property
    def numbers(self) -> set[str]:
        """major:minor of the map and of every disk."""
        return {one.number for one in (self.map, *self.disks) if one}

    @property
    def link(self) -> str:
        """The stable name, made by udev."""
        return f"{scsi.DEV}/disk/by-id/{'dm-uuid-mpath-3' if self.map else 'wwn-0x'}{self.uid}"

    def holders(self) -> list[str]:
        """Return the block devices that are built on the volume."""
        own = self.map.name if self.map else ""
        return [one for top in (self.map, *self.disks) if top for one in scsi.holders(top.name) if one != own]


def find(uid: str, disks: list[scsi.Disk] | None = None) -> Volume:
    """Return what sysfs has of a volume: its map, and the disks that are in it or remember its UID."""
    found = multipath.find(uid)
    members = found.paths if found else ()
    disks = scsi.disks() if disks is None else disks
    return Volume(uid, found, tuple(one for one in disks if one.name in members or _ours(one, uid)))


def _ours(disk: scsi.Disk, uid: str) -> bool:
    return disk.uid == uid and disk.vendor == scsi.VENDOR


def every(also: list[str]) -> list[Volume]:
    """Return every InStorage volume that this host has, and those in `also`."""
    disks = scsi.disks()
    uids = {one.uid for one in disks if _ours(one, one.uid)} | set(also)
    return [find(uid, disks) for uid in sorted(uids - {""})]


def uid_of(number: str) -> str | None:
    """Return the UID of our volume that a device is, empty for another one, None for a disk that is gone."""
    at = f"{scsi.SYS}/dev/block/{number}"
    if not os.path.exists(at):
        return "" if number.startswith("0:") else None  # 0: no block device at all
    name = os.path.basename(scsi.place(at))
    uid = multipath.uid_of(name)
    member = scsi.disk(next(iter(scsi.names(f"{at}/slaves")), "") if uid else name)
    return uid if uid and member is None else member.uid if member and member.vendor == scsi.VENDOR else ""


def check(name: str, uid: str, size: int | None = None) -> None:
    """Raise unless a disk says now, and sysfs remembers, that it is this volume with this size; may hang."""
    try:
        live, disk = scsi.page83(name), scsi.disk(name)
    except OSError as error:
        raise Fault(Code.NO_PATH, f"Disk {name} does not answer: {error.strerror}.", disk=name) from None
    if disk is None:
        raise Fault(Code.NO_PATH, f"Disk {name} is gone.", disk=name)
    if disk.vendor != scsi.VENDOR:
        raise Fault(Code.NOT_OURS, f"Disk {name} is made by {disk.vendor}, not {scsi.VENDOR}.", disk=name)
    if (live, disk.uid) != (uid, uid):
        text = f"Disk {name} ({disk.hctl}) should be volume {uid}, but is {live or 'without a UID'}, and was "
        text += f"{disk.uid or 'without one'} when it was found: nothing was done with it."
        raise Fault(Code.WRONG_DEVICE, text, disk=name, expected=uid, found=live, remembered=disk.uid)
    if size not in (None, disk.size):
        text = f"Disk {name} of volume {uid} has {disk.size} bytes, the array says {size}: detach or grow it."
        raise Fault(Code.WRONG_DEVICE, text, disk=name, expected=size, found=disk.size)


def verify(volume: Volume, size: int, deadline: float, proven: tuple[str, ...] = ()) -> None:
    """Ask every disk that is not yet `proven`, all at once; those that do not answer are let pass.

    Raises what `check` does for one that is wrong, and `Fault(NO_PATH)` when none answers.
    """
    names = [one.name for one in volume.disks if one.name not in proven]
    jobs = [functools.partial(check, name, volume.uid, size) for name in names]
    answers = child.gather(jobs, deadline, "A disk", volume.uid)
    silent = [one for one in answers if isinstance(one, Fault) and one.code in (Code.NO_PATH, Code.TIMEOUT)]
    for answer in answers:
        if isinstance(answer, Exception) and answer not in silent:
            raise answer
    if not proven and len(silent) == len(names):
        said = " ".join(str(fault) for fault in silent) or "This host has no disk of it: attach it first."
        raise Fault(Code.NO_PATH, f"Volume {volume.uid} has no path that works. {said}", uid=volume.uid)
    if volume.map and volume.map.size != size:
        text = f"The map of volume {volume.uid} has {volume.map.size} bytes, the array says {size}: grow it."
        raise Fault(Code.WRONG_DEVICE, text, uid=volume.uid, expected=size, found=volume.map.size)


def unmapped(volume: Volume, deadline: float) -> bool:
    """Return whether every disk says, twice, that the array has no such LUN for this host any more."""

    def said() -> bool:
        jobs = [functools.partial(scsi.page83, one.name) for one in volume.disks]
        answers = child.gather(jobs, deadline, "A disk", volume.uid, grace=_TWICE)
        return all(isinstance(one, OSError) and one.errno == errno.ENODEV for one in answers)

    # One that is blocked cannot say so, and to ask it would only wait: its session is being made anew.
    able = bool(volume.disks) and all(one.state == "running" for one in volume.disks)
    return able and said() and not child.until(lambda: not said(), time.monotonic() + _TWICE)


def demand_map(volume: Volume) -> None:
    """Raise `Fault(NO_MULTIPATH)` when a volume has no map."""
    if volume.map is None:
        text = f"Volume {volume.uid} has no multipath map, and one is demanded: see systemctl status "
        text += f"multipathd, and that multipath.conf does not blacklist {scsi.VENDOR} devices."
        raise Fault(Code.NO_MULTIPATH, text, uid=volume.uid)


def unused(name: str) -> bool:
    """Return whether nobody has a disk mounted, mapped or opened exclusively; may hang."""
    try:
        os.close(scsi.exclusive(name))
    except OSError as error:
        return error.errno != errno.EBUSY and not scsi.holders(name)
    return not scsi.holders(name)
