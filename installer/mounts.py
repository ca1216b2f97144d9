"""Volumes of our driver that are mounted on this host, whoever mounted them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer.places import DRIVER
from installer.saying import Ending

if TYPE_CHECKING:
    from installer.host import Host

TARGETS: Final = (
    f"/plugins/kubernetes.io/flexvolume/{DRIVER.replace('~', '/')}/mounts/", f"/volumes/{DRIVER}/"
)  # fmt: skip


def mounted(host: Host) -> list[str]:
    """Return where volumes of ours are mounted. Ending(1): that cannot be seen."""
    if not host.live:
        return []
    try:
        text = Path("/proc/1/mountinfo").read_text(errors="replace")
    except OSError:
        raise Ending(1, "/proc/1/mountinfo cannot be read: run this as root of the host.") from None
    points = (line.split(" ")[4] for line in text.splitlines())
    return [point for point in points if any(target in point for target in TARGETS)]
