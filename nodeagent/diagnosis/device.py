"""What this node's kernel has of a volume: its paths, its map, its mounts, as sysfs and mountinfo show them.

Nothing is opened: a device that does not answer makes no look hang.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.diagnosis import remedy
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import KUBERNETES, NOBODY, NODE, RIGHT, SAN, UNSEEN, WRONG, Link

if TYPE_CHECKING:
    from collections.abc import Iterator

_GIVEN_UP = ("shutdown", "emergency_ro")


@dataclass(frozen=True)
class Kernel:
    """Where the kernel shows itself; other places for tests."""

    sysfs: Path = Path("/sys")
    mountinfo: Path = Path("/proc/self/mountinfo")


def links(volume: str, uid: str, kernel: Kernel, *, attached: bool, pod: str = "") -> Iterator[Link]:
    """Yield paths, map and mounts of the volume of a UID; `attached`: the agent's record says it is here.

    `pod`: the one that uses it («NAMESPACE/POD»), where that is known.
    """
    disks = _disks(uid, kernel)
    held = _map(uid, kernel)
    if not disks and not held:
        if attached:
            text = f"The kernel has no path to the volume (UID {uid}), though it is attached here."
            text += " Doctor says whether sessions, the mapping or the disks are missing."
            command = remedy.doctor(volume)
            yield Link("paths", WRONG, text, SAN, command, 0.0, f"{kernel.sysfs}/block/*/device/wwid")
        return
    yield from _paths(volume, disks, kernel)
    if held:
        size = int(_read(kernel.sysfs / "block" / held / "size") or 0) * 512
        name = _read(kernel.sysfs / "block" / held / "dm/name")
        within = _slaves(held, kernel, disks)
        text = f"Multipath map {name} ({held}) of {size >> 20} MiB over {len(within)} paths."
        yield Link("paths", RIGHT, text, NOBODY, "", 0.0, f"{kernel.sysfs}/block/{held}/dm/uuid")
        if out := [disk for disk in disks if disk not in within]:
            text = f"{', '.join(out)} is a path to the volume, and not in its map {name} ({held})."
            proof = f"{kernel.sysfs}/block/{held}/slaves"
            yield Link("paths", WRONG, text, NODE, "instoragectl multipath", 0.0, proof)
    elif len(disks) > 1:
        text = f"There is no multipath map over the {len(disks)} paths: a mount uses one alone."
        text += " The command says whether multipathd is silent or what hides the disks: mend that."
        text += " The map is made with the next mount, once no pod here uses the volume."
        proof = f"{kernel.sysfs}/block/dm-*/dm/uuid"
        yield Link("paths", WRONG, text, NODE, "instoragectl multipath", 0.0, proof)
    yield from _mounts(volume, [held] if held else disks, kernel, attached=attached, pod=pod)


def _paths(volume: str, disks: list[str], kernel: Kernel) -> Iterator[Link]:
    """Yield the sum of the paths, then each."""
    states = {disk: _state(disk, kernel) for disk in disks}
    broken = {disk: state for disk, state in states.items() if state[0] != "running"}
    if broken:
        named = ", ".join(f"{disk}{over} is {state}" for disk, (state, over) in broken.items())
        text = f"{len(disks) - len(broken)} of {len(disks)} paths work: {named}."
        proof = f"{kernel.sysfs}/block/{next(iter(broken))}/device/state"
        yield Link("paths", WRONG, text, SAN, remedy.doctor(volume), 0.0, proof)
        yield from _offline([disk for disk, (state, _) in broken.items() if state == "offline"], kernel)
    elif len(disks) == 1:
        over = states[disks[0]][1]
        text = f"Only a single path is in use ({disks[0]}{over}): when it goes the pod has no other."
        text += " Doctor names each portal of the array over which there is none, and who mends it."
        command = remedy.doctor(volume)
        yield Link("paths", WRONG, text, NODE, command, 0.0, f"{kernel.sysfs}/block/{disks[0]}")
    for disk, (state, over) in states.items():
        proof = f"{kernel.sysfs}/block/{disk}/device/state"
        if disk not in broken and len(disks) > 1:
            yield Link("paths", RIGHT, f"Path {disk}{over} is {state}.", NOBODY, "", 0.0, proof)


def _offline(disks: list[str], kernel: Kernel) -> Iterator[Link]:
    """Yield those that the kernel gave up after its error handling failed (SDEV_OFFLINE): for good."""
    for disk in disks:
        proof = f"{kernel.sysfs}/block/{disk}/device/state"
        text = f"The kernel gave disk {disk} up when its error handling failed, and tries it no more."
        text += " Give the command once its session or port works."
        yield Link("paths", WRONG, text, NODE, f"echo running >/sys/block/{disk}/device/state", 0.0, proof)


def _state(disk: str, kernel: Kernel) -> tuple[str, str]:
    """Return a path's state, its session's when that does not work, and « over» its portal, if iSCSI."""
    state = _read(kernel.sysfs / "block" / disk / "device/state") or "gone"
    place = os.path.realpath(kernel.sysfs / "block" / disk)
    session = next((part for part in place.split("/") if part.startswith("session")), "")
    if not session:
        return state, ""
    classes = kernel.sysfs / "class"
    connection = classes / f"iscsi_connection/connection{session.removeprefix('session')}:0"
    logged = _read(classes / f"iscsi_session/{session}/state")
    portal = f"{_read(connection / 'persistent_address')}:{_read(connection / 'persistent_port')}"
    if state == "running" and logged not in ("LOGGED_IN", ""):
        state = f"in a session that is {logged}"
    return state, f" over {portal}"


def _mounts(volume: str, names: list[str], kernel: Kernel, *, attached: bool, pod: str) -> Iterator[Link]:
    numbers = {_read(kernel.sysfs / "block" / name / "dev"): name for name in names}
    numbers.pop("", None)
    found = False
    for line in _lines(kernel.mountinfo):
        fields, _, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) < 6 or len(more) < 3 or words[2] not in numbers:
            continue
        found = True
        where, proof = words[4].replace("\\040", " "), f"{kernel.mountinfo}, device {words[2]}"
        errors = kernel.sysfs / "fs/ext4" / numbers[words[2]] / "errors_count"
        if why := _stopped(words[5].split(","), more[2].split(","), errors):
            yield _given_up(volume, where, why, more[0], pod, proof)
        else:
            access = "read-only" if "ro" in words[5].split(",") else "read-write"
            yield _mounted(f"Mounted {access} ({more[0]}) on {where}.", more[0], proof)
    if attached and not found:
        text = f"Volume {volume} is attached here and mounted nowhere yet, or any more."
        yield Link("mount", RIGHT if not numbers else "waits", text, NOBODY, "", 0.0, str(kernel.mountinfo))


def _mounted(text: str, kind: str, proof: str) -> Link:
    """Return that it is mounted; an xfs that was shut down shows nothing unless it is opened."""
    if kind != "xfs":
        return Link("mount", RIGHT, text, NOBODY, "", 0.0, proof)
    text += " Whether xfs has shut down is not seen: it was not opened."
    return Link("mount", UNSEEN, text, NOBODY, "", 0.0, proof)


def _stopped(mount: list[str], super_block: list[str], errors: Path) -> str:
    """Return by what it is seen that the kernel has stopped a file system, or distrusts it; or nothing.

    An option as the kernel has it says so, or «ro» of what was mounted «rw»; Linux 6.12 to 6.14, and any
    with errors=continue, only count (helper/filesystem.py).
    """
    if given := [one for one in _GIVEN_UP if one in super_block]:
        return given[0]
    if "ro" in super_block and "rw" in mount:
        return "ro"
    count = _read(errors)
    return f"errors_count {count}" if count.isdigit() and int(count) else ""


def _given_up(volume: str, where: str, how: str, kind: str, pod: str, proof: str) -> Link:
    """Return that pods must go, and what the next mount does (helper/mount.py)."""
    namespace, _, name = pod.partition("/")
    asked = typed("kubectl instorage why {}", volume)
    command = typed("kubectl -n {} delete pod {}", namespace, name, without=asked)
    text = f"The kernel has given up the file system on {where} ({how}): delete every pod here that uses it."
    if kind.startswith("ext"):
        text += " The next mount checks it (fsck -a), and says so when that cannot mend it."
    else:
        text += " The next mount replays its log, and says so when it cannot."
    return Link("mount", WRONG, text, KUBERNETES, command, 0.0, proof)


def _disks(uid: str, kernel: Kernel) -> list[str]:
    """Return the names of the disks whose designator of page 0x83, as the kernel keeps it, is the UID."""
    places = sorted((kernel.sysfs / "block").glob("sd*"))
    return [place.name for place in places if _read(place / "device/wwid").lower() == f"naa.{uid}"]


def _slaves(held: str, kernel: Kernel, disks: list[str]) -> list[str]:
    """Return the disks over which a map is; those of its UID where the kernel does not say."""
    try:
        return sorted(one.name for one in (kernel.sysfs / "block" / held / "slaves").iterdir())
    except OSError:
        return disks


def _map(uid: str, kernel: Kernel) -> str:
    places = sorted((kernel.sysfs / "block").glob("dm-*"))
    return next((at.name for at in places if _read(at / "dm/uuid").lower() == f"mpath-3{uid}"), "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _lines(path: Path) -> list[str]:
    return _read(path).splitlines()
