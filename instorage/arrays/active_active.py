"""An active-active volume as the array shows it: four vdisks and the relationship that ties them.

Sizes are bytes. Facts: array-as18000.md 4.6, 4.16, 8 rules 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from instorage.volume_name import VolumeName  # noqa: TC001  # hints are read at run time
from instorage.wire.values import Bytes, VolumeUid  # noqa: TC001  # hints are read at run time


class Function(StrEnum):
    """What a vdisk is in the volume."""

    MASTER = "master"
    AUX = "aux"
    MASTER_CHANGE = "master_change"
    AUX_CHANGE = "aux_change"


@dataclass(frozen=True)
class Member:
    """One of the four vdisks.

    `function` is its place in the volume, `shown` what the array says just now (empty while it is tied to
    nothing), `relationship` the id of the one it is an end of, `copy_maps` the number of LocalCopy maps,
    those with its own change volume included. `thin` is true for compressed vdisks too.
    """

    function: Function
    shown: str
    id: str
    name: str
    uid: VolumeUid
    size: Bytes
    io_group: str
    pool: str
    thin: bool
    online: bool
    formatting: bool
    copy_maps: int
    relationship: str


@dataclass(frozen=True)
class Relationship:
    """The relationship; members are vdisk ids, a change volume that is not set is empty."""

    id: str
    name: str
    master: str
    aux: str
    master_change: str
    aux_change: str
    state: str
    primary: str
    progress: int | None

    @property
    def synchronized(self) -> bool:
        """True when both copies hold the same, by the array's word."""
        return self.state == "consistent_synchronized"

    @property
    def copied_in_full(self) -> bool:
        """True in a state that a full synchronisation leads to, and no `-sync` by itself.

        After a `-sync` a lost link may: then what was written since is copied, and not what differed before.
        """
        return self.state.startswith("inconsistent_")


@dataclass(frozen=True)
class ActiveActive:
    """The whole picture. `members` lacks those that are gone; `access` counts the master's I/O groups.

    `hosts` are the host objects that the master is mapped to, `stray_hosts` those that another of the four
    is mapped to: none, unless somebody did it by hand while the relationship was absent.
    """

    volume: VolumeName
    members: tuple[Member, ...]
    relationship: Relationship | None
    access: int
    hosts: tuple[str, ...]
    stray_hosts: tuple[str, ...]

    def member(self, function: Function) -> Member | None:
        """Return the vdisk of that function, None when it is gone."""
        return next((member for member in self.members if member.function is function), None)

    @property
    def tied(self) -> bool:
        """True when all four are there and the relationship ties exactly these."""
        if self.relationship is None or len(self.members) != len(Function):
            return False
        r = self.relationship
        ends = (r.master, r.aux, r.master_change, r.aux_change)
        ids = tuple(member.id for function in Function if (member := self.member(function)))
        return ends == ids and all(member.shown == member.function for member in self.members)
