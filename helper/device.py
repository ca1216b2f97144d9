"""A volume as this host has it: its SCSI disks and its map, and the proof that they are that volume."""

import functools
import os
import time
from typing import NamedTuple

from helper import child, multipath, scsi
from helper.identity import check, no_such_lun
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid

_TWICE = 0.5  # seconds for which what every disk says must hold


class Volume(NamedTuple):
    """What sysfs has of a volume; nothing here is proven."""

    uid: str
    map: multipath.Map | None
    disks: tuple[scsi.Disk, ...]

    @property
    def top(self) -> multipath.Map | scsi.Disk | None:
        """What is mounted: the map, else the first disk."""
        return self.map or (self.disks[0] if self.disks else None)

    @property
    def members(self) -> list[scsi.Disk]:
        """The disks that data takes its way over: those of the map, without one all."""
        return [disk for disk in self.disks if self.map is None or disk.name in self.map.paths]

    @property
    def bare(self) -> list[scsi.Disk]:
        """The disks that are in no map of the volume by now: a path may join it while one waits."""
        return [one for one in self.disks if self.map is None or self.map.name not in scsi.holders(one.name)]

    @property
    def parts(self) -> list[str]:
        """The partition maps that kpartx has put over the map; multipathd removes them with it."""
        return multipath.partitions(self.map) if self.map else []

    @property
    def maps(self) -> list[str]:
        """The maps that others can use: partition maps where there are any, for they claim the map."""
        return self.parts or ([self.map.name] if self.map else [])

    @property
    def tops(self) -> list[str]:
        """What others can use of the volume: `maps`, and the disks beside them."""
        return [*self.maps, *(disk.name for disk in self.bare)]

    @property
    def numbers(self) -> set[str]:
        """major:minor of the map, of every disk, and of the partitions of both."""
        inner = [f"{disk.name}/{part}" for disk in self.disks for part in scsi.partitions(disk.name)]
        found = {scsi.read(f"{scsi.SYS}/block/{name}/dev") for name in (*self.parts, *inner)}
        return ({one.number for one in (self.map, *self.disks) if one} | found) - {""}

    @property
    def link(self) -> str:
        """The stable name, made by udev."""
        return f"{scsi.DEV}/disk/by-id/{'dm-uuid-mpath-3' if self.map else 'wwn-0x'}{self.uid}"

    def holders(self) -> list[str]:
        """Return the block devices that are built on the volume, or on a partition map of it."""
        own = {self.map.name if self.map else "", *self.parts}
        below = [one.name for one in (self.map, *self.disks) if one] + self.parts
        return [multipath.label(one) for name in below for one in scsi.holders(name) if one not in own]


def find(uid: str, remembering: list[str] | None = None) -> Volume:
    """Return what sysfs has of a volume: its map, and the disks that are in it or remember its UID.

    Beside many others that is one file read of each disk, none when those that do so are named.
    """
    near = [name for name, of in scsi.disks() if of == uid] if remembering is None else remembering
    found = next(filter(None, (multipath.find(uid, name) for name in near)), None) or multipath.find(uid)
    members = found.paths if found else ()
    disks = filter(None, map(scsi.disk, sorted({*members, *near})))
    ours = (one for one in disks if one.name in members or (one.ours and one.uid == uid))
    return Volume(uid, found, tuple(ours))


def alone(name: str) -> Volume:
    """Return a disk by itself, whatever it is a path of."""
    found = scsi.disk(name)
    return Volume(found.uid if found else "", None, (found,) if found else ())


def every(also: list[str]) -> list[Volume]:
    """Return every InStorage volume that this host has, and those in `also`, but for what is no UID."""
    near: dict[str, list[str]] = {uid: [] for uid in also}
    for name, uid in scsi.disks():
        near.setdefault(uid, []).append(name)
    found = [find(uid, names) for uid, names in sorted(near.items()) if VolumeUid.pattern.fullmatch(uid)]
    return [one for one in found if one.uid in (*also, *(disk.uid for disk in one.disks if disk.ours))]


def uid_of(number: str) -> str | None:
    """Return the UID of our volume that a device is, empty for another one, None for a disk that is gone."""
    at = f"{scsi.SYS}/dev/block/{number}"
    if not os.path.exists(at):
        return "" if number.startswith("0:") else None  # 0: no block device at all
    name = os.path.basename(scsi.place(at))
    uid = multipath.uid_of(name)
    member = scsi.disk(next(iter(scsi.names(f"{at}/slaves")), "") if uid else name)
    return uid if uid and member is None else member.uid if member and member.ours else ""


def verify(volume: Volume, size: int, deadline: float, proven: tuple[str, ...] = ()) -> None:
    """Ask every disk that is not yet `proven`, all at once; one that does not answer must remember the UID.

    Raises what `check` does for one that is wrong, and `Fault(NO_PATH)` when none proves the volume: with a
    map it must be one of the map's.
    """
    names = [one.name for one in volume.disks if one.name not in proven]
    jobs = [functools.partial(check, name, volume.uid, size) for name in names]
    answers = dict(zip(names, child.gather(jobs, deadline, "A disk", volume.uid), strict=True))
    faults = {name: one for name, one in answers.items() if isinstance(one, Fault)}
    silent = {name: one for name, one in faults.items() if one.code in (Code.NO_PATH, Code.TIMEOUT)}
    for name, answer in answers.items():
        if isinstance(answer, Exception) and name not in silent:
            raise answer
    _require_proof(volume, silent, {disk.name for disk in volume.members} - set(silent))
    if volume.map and volume.map.size != size:
        text = f"The map of volume {volume.uid} has {volume.map.size} bytes, the array says {size}: grow it."
        raise Fault(Code.WRONG_DEVICE, text, uid=volume.uid, expected=size, found=volume.map.size)


def _require_proof(volume: Volume, silent: dict[str, Fault], proven: set[str]) -> None:
    if strange := [disk for disk in volume.members if disk.name in silent and disk.uid != volume.uid]:
        text = f"Disk {strange[0].name} is in the map of volume {volume.uid}, does not answer, and was "
        text += f"{strange[0].uid or 'without a UID'} when it was found: nothing was done with it."
        raise Fault(Code.WRONG_DEVICE, text, disk=strange[0].name, expected=volume.uid)
    if not proven:
        said = " ".join(str(fault) for fault in silent.values()) or "No disk of it is here: attach it first."
        raise Fault(Code.NO_PATH, f"Volume {volume.uid} has no path that works. {said}", uid=volume.uid)


def unmapped(volume: Volume, deadline: float) -> bool:
    """Return whether every disk says, twice, that the array has no such LUN for this host any more."""

    def said() -> bool:
        jobs = [functools.partial(no_such_lun, one.name) for one in volume.disks]
        return child.gather(jobs, deadline, "A disk", volume.uid, grace=_TWICE) == [True] * len(jobs)

    # One that is blocked cannot say so, and to ask it would only wait: its session is being made anew.
    able = bool(volume.disks) and all(one.state == "running" for one in volume.disks)
    return able and said() and not child.until(lambda: not said(), time.monotonic() + _TWICE)


def demand_map(volume: Volume) -> None:
    """Raise `Fault(NO_MULTIPATH)` when a volume has no map."""
    if volume.map is None:
        text = f"Volume {volume.uid} has no multipath map, and one is demanded: see systemctl status "
        text += f"multipathd, and that multipath.conf does not blacklist {scsi.VENDOR} devices."
        raise Fault(Code.NO_MULTIPATH, text, uid=volume.uid)
