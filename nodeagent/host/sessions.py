"""The iSCSI sessions of this machine, as sysfs shows them to everybody. `sysfs` is its directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.values import Portal

if TYPE_CHECKING:
    from pathlib import Path

WORKS = "LOGGED_IN"


@dataclass(frozen=True)
class Session:
    """One session by the portal that was asked for; `state` is the kernel's word. Empty: it is gone."""

    sid: str
    target: str
    portal: str
    state: str


def session(sysfs: Path, sid: str) -> Session:
    """Return a session, as much of it as there is."""
    at = sysfs / f"class/iscsi_session/session{sid}"
    peer = sysfs / f"class/iscsi_connection/connection{sid}:0"
    address, port = read(peer / "persistent_address"), read(peer / "persistent_port")
    portal = Portal.spelled(address, port) if address and port else ""
    return Session(sid, read(at / "targetname"), portal, read(at / "state"))


def sessions(sysfs: Path) -> list[Session]:
    """Return every session that leads somewhere; one that goes meanwhile is left out."""
    sids = (at.name.removeprefix("session") for at in (sysfs / "class/iscsi_session").glob("session*"))
    return [one for one in (session(sysfs, sid) for sid in sorted(sids)) if one.portal]


def connected(sysfs: Path) -> set[str]:
    """Return the portals that a session works with."""
    return {one.portal for one in sessions(sysfs) if one.state == WORKS}


def behind(sysfs: Path, sid: str) -> bool:
    """Say whether the kernel has any device behind a session."""
    host = os.path.realpath(sysfs / f"class/iscsi_session/session{sid}").partition("/host")[2]
    number = host.partition("/")[0]
    return any(name.startswith(f"{number}:") for name in names(sysfs / "bus/scsi/devices"))


def read(path: Path) -> str:
    """Return an attribute without white space around it, empty when it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def names(path: Path) -> list[str]:
    """Return what a directory holds, nothing when it is not there."""
    try:
        return sorted(one.name for one in path.iterdir())
    except OSError:
        return []
