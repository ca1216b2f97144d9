"""Which paths the maps of InStorage volumes have, as sysfs shows it to everybody: a look costs no program.

`sysfs` is its directory. A path is told by where it leads: an iSCSI target behind a portal, or the WWPN of an
array's port as one adapter of this host sees it. Whether the array answers behind it only multipathd and the
helper know.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.values import VolumeUid
from nodeagent.host import sessions
from nodeagent.host.sessions import names, read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from nodeagent.host.sessions import Session

_UUID = re.compile(r"mpath-3(6[0-9a-fA-F]{31})", re.ASCII)
_LINK = re.compile(r"/(session\d+|rport-[0-9:-]+)/")
SECTOR = 512


@dataclass(frozen=True)
class End:
    """Where a path leads: `target` is an IQN in lower case with its `portal`, or a WWPN without one.

    `initiator`: the WWPN of the adapter that a path over Fibre Channel takes. Each of them makes a path of
    its own to the same port.
    """

    target: str
    portal: str = ""
    initiator: str = ""

    def __str__(self) -> str:
        if self.portal:
            return f"portal {self.portal} ({self.target})"
        return f"port {self.target} (adapter {self.initiator})" if self.initiator else f"port {self.target}"


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
    """Return the maps of these volumes; what goes meanwhile is left out.

    Each session and port is looked at once, so that all of its volumes are told the same of it.
    """
    found, link = {}, functools.cache(functools.partial(_link, sysfs))
    for block in (sysfs / "block").glob("dm-*"):
        match = _UUID.fullmatch(read(block / "dm/uuid"))
        size = read(block / "size")
        uid = VolumeUid.parse(match[1]) if match else None
        if uid in wanted and uid and size.isdigit():
            paths = (_path(sysfs, disk, link) for disk in names(block / "slaves"))
            found[uid] = VolumeMap(uid, block.name, int(size) * SECTOR, tuple(filter(None, paths)))
    return found


def online_ports(sysfs: Path) -> set[End]:
    """Return the targets' ports that adapters of this host are logged in to, one for each login."""
    at = sysfs / "class/fc_remote_ports"
    targets = (name for name in names(at) if "Target" in read(at / name / "roles"))
    ports = (_port_end(sysfs, name) for name in targets)
    return {end for end, trouble in ports if not trouble}


def session_end(session: Session) -> End:
    """Return where an iSCSI session leads."""
    return End(session.target.lower(), session.portal)


def _path(sysfs: Path, disk: str, link: Callable[[str], tuple[End, str]]) -> MapPath | None:
    """Return a path of a map; None where its disk is gone: nothing says any more where that led."""
    at = sysfs / "block" / disk
    place, state = os.path.realpath(at / "device"), read(at / "device/state")
    match = _LINK.search(place)
    if not match and not state:
        return None
    end, trouble = link(match[1]) if match else (End(""), "")
    return MapPath(disk, read(at / "dev"), end, trouble or _of_disk(disk, state))


def _link(sysfs: Path, name: str) -> tuple[End, str]:
    """Return where a session or a port leads, and why nothing passes there, if nothing does."""
    if name.startswith("rport"):
        return _port_end(sysfs, name)
    session = sessions.session(sysfs, name.removeprefix("session"))
    return session_end(session), _of_session(session.state)


def _of_session(state: str) -> str:
    return "" if state == sessions.WORKS else f"its session is {state or 'gone'}"


def _of_disk(disk: str, state: str) -> str:
    if state == "running":
        return ""
    if state == "offline":  # SDEV_OFFLINE: error handling failed; no recovery of a session or port ends that
        return (
            f"disk {disk} is offline, which the kernel never ends by itself: once its session or port works, "
            f"echo running >/sys/block/{disk}/device/state"
        )
    return f"disk {disk} is {state}" if state else f"disk {disk} is gone"


def _port_end(sysfs: Path, name: str) -> tuple[End, str]:
    at = sysfs / "class/fc_remote_ports" / name
    state, host = read(at / "port_state"), name.removeprefix("rport-").partition(":")[0]
    end = End(_wwpn(at), initiator=_wwpn(sysfs / f"class/fc_host/host{host}"))
    return end, "" if state == "Online" else f"the port is {state or 'gone'}"


def _wwpn(at: Path) -> str:
    return read(at / "port_name").removeprefix("0x").lower()
