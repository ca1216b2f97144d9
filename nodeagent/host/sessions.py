"""The iSCSI sessions of this machine, as sysfs shows them to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from instorage.wire.values import Portal

SYS = Path("/sys")


@dataclass(frozen=True)
class Session:
    """One session by the portal that was asked for; `state` is the kernel's word, LOGGED_IN when it works."""

    sid: str
    target: str
    portal: str
    state: str


def sessions() -> list[Session]:
    """Return every session; one that goes meanwhile is left out."""
    found = []
    for at in sorted((SYS / "class/iscsi_session").glob("session*")):
        sid = at.name.removeprefix("session")
        peer = SYS / f"class/iscsi_connection/connection{sid}:0"
        try:
            address, port = (_read(peer / f"persistent_{what}") for what in ("address", "port"))
            target, state = _read(at / "targetname"), _read(at / "state")
            found.append(Session(sid, target, Portal.spelled(address, port), state))
        except OSError:
            continue
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()
