"""What an array says, in one vocabulary for all families. Sizes are bytes everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """What tells a fresh volume from a written one: bytes used by a thin copy, None when no copy is thin.

    `thin`: every copy is. A thick copy that somebody added does not unsay what the thin one uses.
    """

    thin: bool
    used: int | None


@dataclass(frozen=True)
class Initiator:
    """The names under which one machine reaches the SAN."""

    iqn: Iqn | None = None
    wwpns: tuple[Wwpn, ...] = ()

    @property
    def port_names(self) -> frozenset[str]:
        """Names of its ports as they are compared (see `Host.port_names`)."""
        return frozenset(name.casefold() for name in (*self.wwpns, *([self.iqn] if self.iqn else [])))


@dataclass(frozen=True)
class HostPort:
    """A port of a host object: an IQN or a WWPN as text, and on how many array nodes it is logged in.

    `state` is the array's word for it, empty where the firmware has none; `kind` is iscsi, fc, sas or nvme.
    """

    name: str
    logins: int
    active: bool
    state: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Site:
    """A site of a system that spans two, by id and name; both empty: none."""

    id: str = ""
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.id or self.name)


@dataclass(frozen=True)
class Host:
    """A host object of the array.

    `site`: None where the firmware knows no sites. `portset` is the id of the group of addresses that it may
    use, empty where the firmware has none. `unread` counts the ports that the array has and did not name.
    `status` is the array's word for the whole: offline when no port is logged in.
    """

    id: str
    name: str
    ports: tuple[HostPort, ...]
    site: Site | None = None
    portset: str = ""
    unread: int = 0
    status: str = ""

    @property
    def port_names(self) -> frozenset[str]:
        """Names of its ports as they are compared: the spelling of an IQN or WWPN means nothing."""
        return frozenset(port.name.casefold() for port in self.ports)

    @property
    def logged_in(self) -> bool:
        """True when a port has a login, to be shown; that none has is no proof: `Array.host_logins`."""
        return any(port.logins > 0 or port.active for port in self.ports)


@dataclass(frozen=True)
class Mapping:
    """A volume mapped to a host object; `luns` by I/O group id (equal for all but active-active volumes).

    `uid` is the volume's in lower case. `made`: whether the call that returned it has made it; None: not
    known, or not asked. It is no property of the mapping, and so not compared.
    """

    volume: str
    host: str
    host_id: str
    luns: tuple[tuple[str, Lun], ...]
    uid: str = ""
    made: bool | None = field(default=None, compare=False)


@dataclass(frozen=True)
class IscsiTarget:
    """A portal of an array node, its target name, and the node's I/O group id.

    `portset`: only hosts of that portset may use it; empty where the firmware has none.
    """

    portal: Portal
    iqn: Iqn
    io_group: str
    portset: str = ""

    def open_to(self, portset: str) -> bool:
        """Say whether a host with that portset may use it, as far as the array says."""
        return portset in ("", self.portset) or not self.portset


@dataclass(frozen=True)
class FcTarget:
    """A Fibre Channel port of an array as hosts meet it, the node that has it now, and that node's I/O group.

    `initiators`: the ports of the host that are logged in there; empty where the array shows no login.
    """

    wwpn: Wwpn
    node: str
    io_group: str
    initiators: tuple[Wwpn, ...] = ()


@dataclass(frozen=True)
class SanIdentity:
    """What tells an array from others on the SAN; no `uid_prefixes` while it has no volume."""

    portals: tuple[Portal, ...]
    iqns: tuple[Iqn, ...]
    uid_prefixes: tuple[str, ...]
    wwpns: tuple[Wwpn, ...] = ()


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
