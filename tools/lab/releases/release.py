"""The releases of Debian that a node may have, and what is known of each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Release:
    """A release of Debian; `kernel`, `systemd` and `multipath` are how the versions in it begin.

    `iscsid` is the unit that brings iscsid.
    """

    name: str
    number: int
    kernel: str
    systemd: str
    multipath: str
    iscsid: str = "iscsid.socket"


BULLSEYE: Final = Release(
    "bullseye", 11, kernel="5.10.", systemd="247.", multipath="0.8.", iscsid="iscsid.service"
)
BOOKWORM: Final = Release("bookworm", 12, kernel="6.1.", systemd="252.", multipath="0.9.")
TRIXIE: Final = Release("trixie", 13, kernel="6.12.", systemd="257.", multipath="0.11.")
RELEASES: Final = {release.name: release for release in (BULLSEYE, BOOKWORM, TRIXIE)}
