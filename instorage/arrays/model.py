"""What an array says, in one vocabulary for all families. Sizes are bytes everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.volume_name import VolumeName
    from instorage.wire.values import Bytes, Iqn, Lun, Portal, VolumeUid, Wwpn


class Level(StrEnum):
    """How many copies a volume has, and where (manual table 4-2, volLevel)."""

    BASIC = "basic"
    MIRROR = "mirror"
    ACTIVE_ACTIVE = "aa"


@dataclass(frozen=True)
class Provisioning:
    """How space is taken: thick when `thin` and `compressed` are false.

    `initial_percent`, `warning_percent`: percent of the size; `grain_kib`: 32, 64, 128, 256 or None (the
    array's default). `compressed` implies thin.
    """

    thin: bool = False
    compressed: bool = False
    initial_percent: int = 2
    warning_percent: int | None = None
    grain_kib: int | None = None
    auto_expand: bool = True
    tiering: bool = False


@dataclass(frozen=True)
class VolumeSpec:
    """A volume to be made: one pool and I/O group, or two pools (mirror), or two of both (aa)."""

    name: VolumeName
    size: Bytes
    pools: tuple[str, ...]
    level: Level = Level.BASIC
    io_groups: tuple[str, ...] = ()
    provisioning: Provisioning = Provisioning()


@dataclass(frozen=True)
class Volume:
    """A volume as the array shows it. `pools` is («many»,) where the array does not name them.

    `online`: hosts reach it; an active-active volume through one site as well, and then `degraded` says, as
    part of a sentence, what is lost.
    """

    name: VolumeName
    id: str
    uid: VolumeUid
    size: Bytes
    level: Level
    online: bool
    formatting: bool
    pools: tuple[str, ...]
    copy_relations: int
    """Number of LocalCopy maps in which it takes part (an aa volume's own two are not counted)."""
    degraded: str = ""


@dataclass(frozen=True)
class Usage:
    """What tells a fresh volume from a written one: bytes used by a thin copy, None for thick volumes."""

    thin: bool
    used: int | None


@dataclass(frozen=True)
class Initiator:
    """The names under which one machine reaches the SAN."""

    iqn: Iqn | None = None
    wwpns: tuple[Wwpn, ...] = ()


@dataclass(frozen=True)
class HostPort:
    """A port of a host object: an IQN or a WWPN as text, and on how many array nodes it is logged in."""

    name: str
    logins: int
    active: bool


@dataclass(frozen=True)
class Host:
    """A host object of the array."""

    id: str
    name: str
    ports: tuple[HostPort, ...]

    @property
    def logged_in(self) -> bool:
        """True when any port has a login (the array's word, not a guess)."""
        return any(port.logins > 0 or port.active for port in self.ports)


@dataclass(frozen=True)
class Mapping:
    """A volume mapped to a host object; `luns` by I/O group id (equal for all but active-active volumes)."""

    volume: str
    host: str
    host_id: str
    luns: tuple[tuple[str, Lun], ...]


@dataclass(frozen=True)
class IscsiTarget:
    """A portal of an array node, its target name, and the node's I/O group id."""

    portal: Portal
    iqn: Iqn
    io_group: str


@dataclass(frozen=True)
class SanIdentity:
    """What tells an array from others on the SAN; no `uid_prefixes` while it has no volume."""

    portals: tuple[Portal, ...]
    iqns: tuple[Iqn, ...]
    uid_prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Protection:
    """The array refuses to unmap or delete a volume of these pools within so many minutes after I/O."""

    minutes: int
    pools: tuple[str, ...]


@dataclass(frozen=True)
class Pool:
    """A pool; `free`, `capacity` and `extent` (what is given away at a time; 0: not said) in bytes.

    `flash`: it is of flash alone, with its own ways of tiering and grains.
    """

    name: str
    capacity: int
    free: int
    online: bool
    extent: int = 0
    flash: bool = False

    def needed(self, before: int, after: int) -> int:
        """Return what a thick copy takes from the pool when it grows from one size to another."""
        extent = self.extent or 1
        return (-(-after // extent) + before // -extent) * extent
