"""A unit as a page has it, from its file: what it starts, as whom, where it listens, what it may."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.man.markup import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER: Final = Path(__file__).resolve().parents[2] / "systemd"
# What an administrator asks a unit's page for, in this order; the rest, with the reasons, is in the file.
TOLD: Final = {
    "ExecStartPre": "run before it, and may fail",
    "ExecStart": "the program",
    "ExecStop": "run when it stops",
    "ExecStopPost": "run after it, however it ended",
    "User": "whose rights it has; without this line root's",
    "CapabilityBoundingSet": "the capabilities that it may have; empty: none",
    "ListenStream": "the socket",
    "SocketMode": "the socket's mode",
    "SocketUser": "whose the socket is",
    "SocketGroup": "the group that may connect",
    "Service": "the service that a connection starts",
    "Wants": "started with it",
    "PartOf": "what it is stopped and restarted with",
    "WatchdogSec": "how long it may be silent before systemd starts it anew",
    "TimeoutStartSec": "how long it may take to start",
    "TimeoutStopSec": "how long it may take to end",
    "OnActiveSec": "when it is due first, after the timer was started",
    "OnUnitInactiveSec": "when it is due again, after the last time",
    "StateDirectory": "what it keeps, below /var/lib",
    "RuntimeDirectory": "what lives as long as the machine runs, below /run",
    "LogsDirectory": "for its log files, below /var/log",
    "ReadWritePaths": "what else it may write",
    "IPAddressDeny": "whom it may not speak to",
    "Alias": "its other name",
    "WantedBy": "what starts it, once it is enabled",
}


def settings(unit: str) -> dict[str, list[str]]:
    """Return the lines of a unit file by key; a line that ends with a backslash goes on with the next."""
    text = (FOLDER / unit).read_text(encoding="utf-8").replace("\\\n", "")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(" ".join(value.split()))
    return found


def described(unit: str, translate: Callable[[str], str]) -> Iterator[str]:
    """Yield the unit's settings that `TOLD` has, as terms."""
    found = settings(unit)
    for key, told in TOLD.items():
        for value in found.get(key, ()):
            yield f"`{key}={value}`"
            yield f": {sentence(translate(told))}"


def names() -> list[str]:
    """Return every unit of ours."""
    return sorted(path.name for path in FOLDER.glob("instorage-*"))
