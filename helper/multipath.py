"""The map of one volume: found in sysfs, made and removed by multipathd, never with `reconfigure`.

multipathd is asked over its own socket, as libmpathcmd does: a program for each question costs more than the
answer. Nothing that it says is believed: what counts is the map in sysfs. Deadlines are monotonic seconds.
"""

import errno
import fcntl
import os
import re
import socket
import struct
import time
from typing import NamedTuple

from helper import scsi
from helper.child import collect, until
from helper.program import run
from instorage.wire.steps import Step, reached

SOCKETS = ("/run/multipathd.socket", "\0/org/kernel/linux/storage/multipathd")
WWIDS = "/etc/multipath/wwids"
_UCRED = struct.Struct("3i")  # pid, uid, gid; socket(7)
_LENGTH = struct.Struct("@N")  # a size_t before each text, whose last byte is NUL
_DM = struct.Struct("=3I3Ii3IQ128s129s7x")  # struct dm_ioctl of <linux/dm-ioctl.h>; [6]: open_count
_DM_DEV_STATUS = (6 << 29 if scsi.MIPS else 3 << 30) | _DM.size << 16 | 0xFD << 8 | 7
# Before 0.8.6 multipathd loses the map that «add map» has just made (its commit 50db7605), and 0.8.5 then
# fails its paths.
_OLD = re.compile(r"\bmultipath-tools v0\.([0-7]\.|8\.[0-5]\b)")
_UDEV = 3  # seconds for udev to show multipathd a disk or a map
_IN_USE, _LAST = 5, 0.5  # seconds for others to let go of a map; that the last try has for its answer


class Map(NamedTuple):
    """A multipath map: kernel name (dm-N), name for people, major:minor, bytes, kernel names of its paths."""

    name: str
    label: str
    number: str
    size: int
    paths: tuple[str, ...]


def uid_of(name: str) -> str:
    """Return the UID of the volume whose map a dm device is, empty when it is something else."""
    uuid = scsi.read(f"{scsi.SYS}/block/{name}/dm/uuid")
    return uuid.removeprefix("mpath-3").lower() if uuid.startswith("mpath-3") else ""


def label(name: str) -> str:
    """Return how people call a block device: for device mapper's the name of the map, too."""
    said = scsi.read(f"{scsi.SYS}/block/{name}/dm/name")
    return f"{name} ({said})" if said else name


def partitions(found: Map) -> list[str]:
    """Return the maps (dm-N) of partitions that are built on a map of ours, by the UUID that kpartx gives."""
    shape = re.compile(rf"part\d+-mpath-3{uid_of(found.name)}", re.ASCII | re.IGNORECASE)
    holders = scsi.names(f"{scsi.SYS}/block/{found.name}/holders")
    return [one for one in holders if shape.fullmatch(scsi.read(f"{scsi.SYS}/block/{one}/dm/uuid"))]


def open_count(name: str) -> int:
    """Return how often a map (dm-N) is open, mounts and maps above it included; 0 when it is gone."""
    uuid = scsi.read(f"{scsi.SYS}/block/{name}/dm/uuid")
    asked = bytearray(_DM.pack(4, 0, 0, _DM.size, 0, 0, 0, 0, 0, 0, 0, b"", uuid.encode()))
    with scsi.descriptor(f"{scsi.DEV}/mapper/control", os.O_RDWR) as node:
        try:
            fcntl.ioctl(node, _DM_DEV_STATUS, asked)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return 0
    return int(_DM.unpack(asked)[6])


def find(uid: str, above: str = "") -> Map | None:
    """Return the map of a volume; with `above` only what is built on that disk is looked at."""
    for name in scsi.names(f"{scsi.SYS}/block/{above}{'/holders' if above else ''}"):
        if name.startswith("dm-") and uid_of(name) == uid:
            at = f"{scsi.SYS}/block/{name}"
            label, number = scsi.read(f"{at}/dm/name"), scsi.read(f"{at}/dev")
            return Map(name, label, number, scsi.size(name), tuple(scsi.names(f"{at}/slaves")))
    return None


def ask(command: str, deadline: float) -> str | None:
    """Return multipathd's answer to one command, None when it does not run or does not answer."""
    for address in SOCKETS:
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(max(deadline - time.monotonic(), 0.001))
                daemon.connect(address)
                peer = daemon.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
                if _UCRED.unpack(peer)[1] != os.geteuid():
                    continue  # while multipathd is away anybody may take the abstract name
                daemon.sendall(_LENGTH.pack(len(command) + 1) + command.encode() + b"\0")
                said, _ = collect((daemon.fileno(),), deadline, whole=_whole)
                if _whole(text := said[daemon.fileno()]):
                    return text[_LENGTH.size :].rstrip(b"\0").decode("utf-8", "replace").strip()
        except OSError:  # it does not run, is too slow, or has closed
            continue
    return None


def _whole(data: bytes) -> bool:
    """Return whether an answer has come to its end: multipathd does not close after it."""
    return len(data) >= _LENGTH.size and len(data) - _LENGTH.size >= _LENGTH.unpack_from(data)[0]


def assemble(uid: str, names: list[str], size: int, deadline: float, *, add_only: bool = False) -> None:
    """Have a map that holds all of `names` with `size` bytes, as far as multipathd can be brought to it.

    `add_only`: no map is made, and nothing remembered: the disks are given to the one that is there.
    """

    def whole() -> bool:
        return bool((found := find(uid, names[0])) and found.size == size and {*names} <= set(found.paths))

    if whole() or (daemon := ask("help", deadline)) is None:
        return
    # All disks first, then the map: one made of one disk gets the next only when udev has seen it (2 s). And
    # «add map» remembers the WWID, which under `find_multipaths strict` multipathd must know.
    if not until(lambda: {*names} <= paths(uid, deadline), min(deadline, time.monotonic() + _UDEV), 0.05):
        for name in {*names} - paths(uid, deadline):
            ask(f"add path {name}", deadline)
    if not (add_only or _OLD.search(daemon)):
        ask(f"add map 3{uid}", deadline)
        until(whole, min(deadline, time.monotonic() + _UDEV))
    if not whole() and time.monotonic() < deadline:
        if not add_only:
            run("multipath", "-a", f"{scsi.DEV}/{names[0]}", deadline=deadline)
        for name in names:
            ask(f"add path {name}", deadline)
        until(whole, deadline)


def queueing(uid: str, deadline: float) -> str:
    """Return what multipathd does with a map that has no path left (`AttachReply`)."""
    lines = (ask('show maps raw format "%w %Q %f"', deadline) or "").splitlines()
    return next((line.partition(" ")[2].strip() for line in lines if line.startswith(f"3{uid} ")), "")


def flush(found: Map, uid: str, deadline: float) -> bool:
    """Remove a map that is not in use, by multipathd or without it; return whether it is gone.

    Tried again for a moment: udev looks into a device that was just unmounted or closed. A map that stays
    queues again: somebody may have opened it just now, and to him an outage must not be an error.
    """
    ask(f"disablequeueing map {found.label}", deadline)  # it is not mounted: what waits would wait for ever
    reached(Step.HELPER_DETACH_QUEUEING_ENDED)

    def gone() -> bool:
        if ask(f"del map {found.label}", deadline) is None:
            run("multipath", "-f", found.label, deadline=deadline, accept=(0, 1))
        return find(uid) is None

    try:
        removed = until(gone, min(deadline - _LAST, time.monotonic() + _IN_USE), 0.05)
    finally:
        if find(uid):
            ask(f"restorequeueing map {found.label}", time.monotonic() + _LAST)
    return removed


def forget(uid: str, deadline: float) -> None:
    """Take the WWID out of what multipath remembers."""
    if f"/3{uid}/" in scsi.read(WWIDS).split():
        run("multipath", "-w", f"3{uid}", deadline=deadline, accept=(0, 1))


def paths(uid: str, deadline: float) -> set[str]:
    """Return the disks that multipathd knows as paths of a volume, none when it does not answer."""
    lines = (ask('show paths raw format "%d %w"', deadline) or "").splitlines()
    return {name for name, _, wwid in (line.partition(" ") for line in lines) if wwid == f"3{uid}"}
