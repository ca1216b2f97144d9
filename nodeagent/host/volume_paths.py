"""Which paths the maps of InStorage volumes have, as sysfs shows it to everybody: a look costs no program.

`sysfs` is its directory. A path is told by where it leads: an iSCSI target behind a portal, or the WWPN of an
array's port. Whether the array answers behind it only multipathd and the helper know.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.values import VolumeUid
from nodeagent.host import sessions
from nodeagent.host.sessions import names, read

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nodeagent.host.sessions import Session

_UUID = re.compile(r"mpath-3(6[0-9a-fA-F]{31})", re.ASCII)
_SESSION = re.compile(r"/session(\d+)/")
_RPORT = re.compile(r"/(rport-[0-9:-]+)/")
SECTOR = 512


@dataclass(frozen=True)
class End:
    """Where a path leads: `target` is an IQN in lower case with its `portal`, or a WWPN without one."""

    target: str
    portal: str = ""

    def __str__(self) -> str:
        return f"portal {self.portal} ({self.target})" if self.portal else f"port {self.target}"


@dataclass(frozen=True)
class MapPath:
    """A disk in a map: kernel name, major:minor, where it leads, and why it does not work, if it does not."""

    disk: str
    number: str
    end: End
    trouble: str = ""


@dataclass(frozen=True)
class VolumeMap:
    """The map of a volume: its UID, kernel name, bytes, paths."""

    uid: VolumeUid
    name: str
    size: int
    paths: tuple[MapPath, ...]


def maps(sysfs: Path, wanted: Collection[VolumeUid]) -> dict[VolumeUid, VolumeMap]:
    """Return the maps of these volumes; what goes meanwhile is left out."""
    found = {}
    for block in (sysfs / "block").glob("dm-*"):
        match = _UUID.fullmatch(read(block / "dm/uuid"))
        size = read(block / "size")
        uid = VolumeUid.parse(match[1]) if match else None
        if uid in wanted and uid and size.isdigit():
            paths = tuple(_path(sysfs, disk) for disk in names(block / "slaves"))
            found[uid] = VolumeMap(uid, block.name, int(size) * SECTOR, paths)
    return found


def online_ports(sysfs: Path) -> set[str]:
    """Return the WWPNs of the targets' ports that an adapter of this host is logged in to."""
    at = sysfs / "class/fc_remote_ports"
    targets = (name for name in names(at) if "Target" in read(at / name / "roles"))
    ports = (_port_end(sysfs, name) for name in targets)
    return {end.target for end, trouble in ports if not trouble}


def session_end(session: Session) -> End:
    """Return where an iSCSI session leads."""
    return End(session.target.lower(), session.portal)


def _path(sysfs: Path, disk: str) -> MapPath:
    at = sysfs / "block" / disk
    place, state = os.path.realpath(at / "device"), read(at / "device/state")
    if match := _SESSION.search(place):
        session = sessions.session(sysfs, match[1])
        end, link = session_end(session), _of_session(session.state)
    elif port := _RPORT.search(place):
        end, link = _port_end(sysfs, port[1])
    else:
        end, link = End(""), ""
    return MapPath(disk, read(at / "dev"), end, link or _of_disk(disk, state))


def _of_session(state: str) -> str:
    return "" if state == sessions.WORKS else f"its session is {state or 'gone'}"


def _of_disk(disk: str, state: str) -> str:
    if state == "running":
        return ""
    return f"disk {disk} is {state}" if state else f"disk {disk} is gone"


def _port_end(sysfs: Path, name: str) -> tuple[End, str]:
    at = sysfs / "class/fc_remote_ports" / name
    state = read(at / "port_state")
    end = End(read(at / "port_name").removeprefix("0x").lower())
    return end, "" if state == "Online" else f"the port is {state or 'gone'}"
