"""systemd: units are told and asked by systemctl, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from installer.host import Done, run
from installer.saying import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from installer.host import Host

LIMIT: Final = 300  # seconds: a unit may take 90 to stop and as long to start
POLL: Final = 0.2  # seconds
CATALOGUE: Final = "/var/lib/systemd/catalog/database"  # made by systemd at boot, when it is not there


def systemctl(*arguments: str) -> Done:
    """Run systemctl."""
    return run("systemctl", *arguments, limit=LIMIT)


def shown(name: str, *unit: str) -> str:
    """Return a property as systemd says it: of a unit, or of itself."""
    return systemctl("show", "-p", name, *unit).said.removeprefix(f"{name}=")


def is_active(*units: str) -> bool:
    """Whether one of the units is active."""
    return systemctl("is-active", "--quiet", *units).status == 0


def poll(seconds: float, ended: Callable[[], bool]) -> bool:
    """Ask again and again, at most so long; say whether it came true."""
    deadline = time.monotonic() + seconds
    while not ended():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


def stop(host: Host, *units: str) -> None:
    """Disable the first of the units and stop all; Ending(1): one of them goes on."""
    quit_all(host, *units)
    if host.boots and is_active(*units):
        raise Ending(1, f"not all of {' '.join(units)} could be stopped: see systemctl status.")


def quit_all(host: Host, *units: str) -> None:
    """Disable the first of the units and stop all, as far as that goes: what was there before comes back."""
    if host.boots:
        systemctl("--quiet", "disable", units[0])
        systemctl("stop", *units)


def reload(host: Host) -> None:
    """Have systemd read units anew."""
    if host.boots:
        systemctl("daemon-reload")
        systemctl("reset-failed", "instorage-*")


def update_catalog(host: Host) -> None:
    """Have journald know the messages that are on a live host now, if it keeps a catalogue of any."""
    if host.live and host.path(CATALOGUE).exists():
        run("journalctl", "--update-catalog", limit=LIMIT)
