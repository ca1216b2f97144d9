"""The map of one volume: found in sysfs, made and removed by multipathd, never `reconfigure`."""

import socket
import struct
import time
from dataclasses import dataclass

from helper import scsi
from helper.program import run
from helper.waiting import until

SOCKETS = ("/run/multipathd.socket", "\0/org/kernel/linux/storage/multipathd")
WWIDS = "/etc/multipath/wwids"
_LENGTH = struct.Struct("@N")  # a size_t stands before each text, whose last byte is NUL (libmpathcmd)


@dataclass(frozen=True)
class Map:
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


def find(uid: str) -> Map | None:
    """Return the map of a volume."""
    for name in scsi.names(f"{scsi.SYS}/block"):
        if name.startswith("dm-") and uid_of(name) == uid:
            at = f"{scsi.SYS}/block/{name}"
            size = int(scsi.read(f"{at}/size") or 0) * 512
            paths = tuple(scsi.names(f"{at}/slaves"))
            return Map(name, scsi.read(f"{at}/dm/name"), scsi.read(f"{at}/dev"), size, paths)
    return None


def ask(command: str, deadline: float) -> str | None:
    """Return multipathd's answer to one command, None when it does not run or does not answer."""
    for address in SOCKETS:
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(max(deadline - time.monotonic(), 0.001))
                daemon.connect(address)
                daemon.sendall(_LENGTH.pack(len(command) + 1) + command.encode() + b"\0")
                (size,) = _LENGTH.unpack(_exactly(daemon, _LENGTH.size))
                return _exactly(daemon, min(size, 1 << 20)).rstrip(b"\0").decode("utf-8", "replace").strip()
        except OSError:
            continue
    return None


def _exactly(daemon: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = daemon.recv(size - len(data))
        if not more:
            raise OSError("multipathd closed its socket")
        data += more
    return data


def assemble(uid: str, names: list[str], size: int, deadline: float) -> Map | None:
    """Return the map that holds all of `names` with `size` bytes, made if need be; None when there is none.

    The WWID is made known first: under `find_multipaths strict` multipathd leaves unknown ones alone.
    """

    def whole() -> Map | None:
        found = find(uid)
        return found if found and found.size == size and set(names) <= set(found.paths) else None

    if (found := whole()) or ask("show daemon", deadline) is None:
        return found
    if f"/3{uid}/" not in scsi.read(WWIDS).split():
        run("multipath", "-a", f"{scsi.DEV}/{names[0]}", deadline=deadline)
    for name in names:
        ask(f"add path {name}", deadline)
    return until(whole, deadline)


def flush(found: Map, uid: str, deadline: float) -> bool:
    """Remove a map that is not in use, through multipathd or without it; return whether it is gone."""
    ask(f"disablequeueing map {found.label}", deadline)  # it is not mounted: what waits would wait for ever
    if ask(f"del map {found.label}", deadline) != "ok":
        run("multipath", "-f", found.label, deadline=deadline, accept=(0, 1))
    return until(lambda: find(uid) is None, min(deadline, time.monotonic() + 2))


def forget(uid: str, names: list[str], deadline: float) -> None:
    """Take out what `multipath -a` wrote; while a path is still there, since the program wants a device."""
    if f"/3{uid}/" in scsi.read(WWIDS).split():
        run("multipath", "-w", f"{scsi.DEV}/{names[0]}", deadline=deadline, accept=(0, 1))


def lost(names: list[str], deadline: float) -> bool:
    """Wait until multipathd has none of the paths any more."""

    def clean() -> bool:
        answer = ask("show paths raw format %d", deadline)
        return answer is None or not set(names) & set(answer.split())

    return until(clean, deadline, 0.02)
