"""An array on two sites, each with a portal of its own, that loses one of them and gets it back.

What a pair of sites shares, as the volume's content behind both portals, is the target's one file: what the
array does about its two copies is the simulator's affair, what a node sees of it is real.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab.san import San

NODES: Final = {1: 1, 2: 3}
"""The node of the array that has the portal of a site."""
COPY_SECONDS: Final = 10
OPTIONS: Final = (
    *(f"--portal={node}={PORTALS[site - 1]}:3260" for site, node in NODES.items()),
    f"--dialect=copy_seconds={COPY_SECONDS}",
)
"""What the simulator is started with."""
PARAMETERS: Final = {
    "volLevel": "aa",
    "volPoolName": "Pool0",
    "volAuxPoolName": "Pool1",
    "volIOGrp": "0",
    "volAuxIOGrp": "1",
    "volThin": "true",
}
"""The class of a volume that both sites have, as a StorageClass names it."""
SYNCHRONIZED: Final = "consistent_synchronized"
SYNC_LIMIT: Final = 60  # seconds


@dataclass(frozen=True)
class Relationship:
    """How the two copies of a volume are, in the array's words; `progress` in percent, empty without one."""

    state: str
    primary: str
    progress: str

    def __str__(self) -> str:
        shown = f"{self.state}, primary {self.primary}"
        return f"{shown}, {self.progress} %" if self.progress else shown


class TwoSites:
    """The array as its administrator has it in hand."""

    def __init__(self, san: San) -> None:
        self._san = san

    def lose(self, site: int) -> None:
        """Have a site's nodes, portals, pools and copies gone."""
        self._san.control.do("site", site=site, up=False)

    def restore(self, site: int) -> None:
        """Have it back; what it missed is copied to it."""
        self._san.control.do("site", site=site, up=True)

    def relationship(self, volume: str) -> Relationship:
        """Return how the copies of a volume are."""
        heads, *rows = self._san.command("mcsinq lsrcrelationship -delim !").splitlines()
        for line in rows:
            row = dict(zip(heads.split("!"), line.split("!"), strict=True))
            if row["master_vdisk_name"] == volume:
                return Relationship(row["state"], row["primary"], row["progress"])
        raise LookupError(f"no relationship of {volume}")

    def synchronizing(self, volume: str) -> Iterator[Relationship]:
        """Yield each change of its state until the copies are one; TimeoutError when they never are."""
        deadline, last = time.monotonic() + SYNC_LIMIT, None
        while (now := self.relationship(volume)).state != SYNCHRONIZED:
            if last is None or now.state != last.state:
                yield now
            if time.monotonic() > deadline:
                raise TimeoutError(f"{volume} is {now} after {SYNC_LIMIT} s")
            last = now
            time.sleep(0.2)
        yield now
