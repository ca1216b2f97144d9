"""A volume as this host has it: its SCSI disks and its map, and the proof that they are that volume."""

import errno
import functools
import os
from dataclasses import dataclass

from helper import child, multipath, scsi
from helper.multipath import Map
from helper.scsi import Disk
from helper.waiting import until
from instorage.wire.fault import Code, Fault


@dataclass(frozen=True)
class Volume:
    """What sysfs has of a volume; nothing here is proven."""

    uid: str
    map: Map | None
    disks: tuple[Disk, ...]

    @property
    def name(self) -> str:
        """The kernel name of what is mounted: the map, else the first disk."""
        return self.map.name if self.map else self.disks[0].name if self.disks else ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.map.size if self.map else self.disks[0].size if self.disks else 0

    @property
    def numbers(self) -> set[str]:
        """major:minor of the map and of every disk."""
        return {one.number for one in self.disks} | ({self.map.number} if self.map else set())

    @property
    def link(self) -> str:
        """The stable name, made by udev."""
        return f"{scsi.DEV}/disk/by-id/{'dm-uuid-mpath-3' if self.map else 'wwn-0x'}{self.uid}"


def find(uid: str, disks: list[Disk] | None = None) -> Volume:
    """Return what sysfs has of a volume: its map, and the disks that are in it or remember its UID."""
    found = multipath.find(uid)
    members = found.paths if found else ()
    disks = scsi.disks() if disks is None else disks
    return Volume(uid, found, tuple(one for one in disks if one.name in members or _ours(one, uid)))


def _ours(disk: Disk, uid: str) -> bool:
    return disk.uid == uid and disk.vendor == scsi.VENDOR


def every() -> list[Volume]:
    """Return every InStorage volume that this host has."""
    disks = scsi.disks()
    return [find(uid, disks) for uid in sorted({one.uid for one in disks if _ours(one, one.uid)} - {""})]


def uid_of(number: str) -> str | None:
    """Return the UID of our volume that a device is, empty for another one, None for a disk that is gone."""
    at = f"{scsi.SYS}/dev/block/{number}"
    if number.startswith("0:"):
        return ""  # no block device
    if not os.path.exists(at):
        return None
    name = os.path.basename(os.path.realpath(at))
    member = next(iter(scsi.names(f"{at}/slaves")), "") if name.startswith("dm-") else name
    disk = scsi.disk(member) if member.startswith("sd") else None
    uid = multipath.uid_of(name) if name.startswith("dm-") else disk.uid if disk else ""
    return uid if disk is None or disk.vendor == scsi.VENDOR else ""


def check(name: str, uid: str, size: int) -> None:
    """Raise unless a disk says now, and sysfs remembers, that it is this volume with this size; may hang."""
    try:
        live = scsi.page83(name)
    except OSError as error:
        raise Fault(Code.NO_PATH, f"Disk {name} does not answer: {error.strerror}.", disk=name) from None
    disk = scsi.disk(name)
    if disk is None:
        raise Fault(Code.NO_PATH, f"Disk {name} is gone.", disk=name)
    if (live, disk.uid) != (uid, uid):
        raise Fault(
            Code.WRONG_DEVICE,
            f"Disk {name} ({disk.hctl}) is volume {live or 'without a UID'}, was volume {disk.uid or 'none'} "
            f"when it was found, and should be {uid}: nothing was done with it.",
            disk=name,
            expected=uid,
            found=live,
            remembered=disk.uid,
        )
    if disk.vendor != scsi.VENDOR:
        raise Fault(Code.NOT_OURS, f"Disk {name} is made by {disk.vendor}, not {scsi.VENDOR}.", disk=name)
    if disk.size != size:
        raise Fault(
            Code.WRONG_DEVICE,
            f"Disk {name} of volume {uid} has {disk.size} bytes here and {size} on the array: detach it, "
            "or grow it, before it is used.",
            disk=name,
            expected=size,
            found=disk.size,
        )


def verify(volume: Volume, size: int, deadline: float) -> dict[str, Fault]:
    """Ask every disk of a volume at once; return those that do not answer, raise for one that is wrong.

    Raises `Fault(NO_PATH)` as well when none answers.
    """
    names = [one.name for one in volume.disks]
    jobs = [functools.partial(check, name, volume.uid, size) for name in names]
    answers = child.gather(jobs, deadline, "A disk", volume.uid)
    silent = {}
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, Fault) and answer.code in (Code.NO_PATH, Code.TIMEOUT):
            silent[name] = answer
        elif isinstance(answer, Exception):
            raise answer
    if len(silent) == len(names):
        said = " ".join(str(fault) for fault in silent.values()) or "The host has no disk of it."
        raise Fault(Code.NO_PATH, f"Volume {volume.uid} has no path that works. {said}", uid=volume.uid)
    if volume.map and volume.map.size != size:
        raise Fault(
            Code.WRONG_DEVICE,
            f"The map of volume {volume.uid} has {volume.map.size} bytes, the array says {size}.",
            expected=size,
            found=volume.map.size,
        )
    return silent


def demand_map(volume: Volume) -> None:
    """Raise `Fault(NO_MULTIPATH)` when a volume has no map."""
    if volume.map is None:
        raise Fault(
            Code.NO_MULTIPATH,
            f"Volume {volume.uid} has no multipath map, and one is demanded: see systemctl status multipathd "
            "and that multipath.conf does not blacklist INSPUR devices.",
            uid=volume.uid,
        )


def await_link(volume: Volume, deadline: float) -> str:
    """Return the stable name as soon as udev has made it and it leads to this volume's device."""
    wanted = {os.path.join(scsi.DEV, volume.name)} | {f"{scsi.DEV}/{disk.name}" for disk in volume.disks}
    if not until(lambda: os.path.realpath(volume.link) in wanted, deadline):
        raise Fault(
            Code.TIMEOUT,
            f"udev has not made {volume.link} in time: see systemctl status systemd-udevd.",
            link=volume.link,
        )
    return volume.link


def unused(name: str) -> bool:
    """Return whether nobody has a disk mounted, mapped or opened exclusively."""
    try:
        os.close(scsi.exclusive(name))
    except OSError as error:
        return error.errno != errno.EBUSY and not scsi.holders(name)
    return not scsi.holders(name)
