"""What the array remembers: pools, vdisks with their copies, hosts, host mappings, copy maps, relationships.

Records are frozen and a `State` is never changed in place: an operation returns a new one, so readers need
no lock and a failed operation leaves nothing to take back. Sizes are bytes.
"""

from dataclasses import dataclass, field, replace
from typing import TypeVar

THICK = -1


@dataclass(frozen=True)
class Pool:
    """A managed disk group: `capacity` and `extent` in bytes, `site` 1 or 2; `category` ssa: flash alone."""

    id: int
    name: str
    capacity: int
    extent: int
    site: int
    category: str = ""


@dataclass(frozen=True)
class Copy:
    """One copy of a vdisk in one pool.

    `rsize` is the real capacity a thin copy begins with (its contingency), or THICK; `warning` is a
    percentage (0: none), `grain` KiB (0 when thick or compressed). `status` is online or offline, `progress`
    how much of it is synchronised (percent).
    """

    id: int
    pool: int
    rsize: int = THICK
    autoexpand: bool = False
    warning: int = 0
    grain: int = 0
    compressed: bool = False
    intier: str = "on"
    status: str = "online"
    progress: int = 100

    @property
    def thin(self) -> bool:
        """True when the copy allocates as it is written, compressed copies included."""
        return self.rsize != THICK


@dataclass(frozen=True)
class Vdisk:
    """A vdisk: plain, or one of the four of an active-active volume (`function` says which).

    `volume` is the vdisk id of the volume's master (its own id when plain), `access` the I/O groups through
    which hosts reach it, `formatted_at` the wall clock second at which background formatting ends. `content`
    is the data as far as they matter here: what was written (control verb `write`), one after the other;
    `used_at` the wall clock second of the last I/O that is known of: such a write, or a mapping (a host reads
    what it gets).
    """

    id: int
    name: str
    size: int
    iogrp: int
    uid: str
    copies: tuple[Copy, ...]
    volume: int
    function: str = ""
    access: tuple[int, ...] = ()
    sync_rate: int = 50
    formatted_at: float = 0.0
    status: str = "online"
    content: str = ""
    used_at: float = 0.0

    @property
    def change(self) -> bool:
        """True for the change volumes of an active-active volume."""
        return self.function.endswith("_change")

    def formatting(self, now: float) -> bool:
        """Tell whether a thick vdisk is still being formatted at this wall clock second."""
        return self.formatted_at > now


@dataclass(frozen=True)
class Port:
    """A host's port: `kind` is iscsi, fc or nvme; `name` an IQN, 16 upper-case hex digits, or an NQN."""

    kind: str
    name: str


@dataclass(frozen=True)
class Host:
    """A host object; `site` 0 means none; `next_lun` only counts when LUN numbers rest before re-use."""

    id: int
    name: str
    ports: tuple[Port, ...]
    site: int = 0
    type: str = "generic"
    next_lun: int = 0

    def names(self, kind: str) -> list[str]:
        """Port names of one kind."""
        return [port.name for port in self.ports if port.kind == kind]


@dataclass(frozen=True)
class HostMap:
    """A vdisk shown to a host under one SCSI id (LUN number), in every I/O group of the vdisk's access."""

    host: int
    vdisk: int
    lun: int


@dataclass(frozen=True)
class LocalCopyMap:
    """A LocalCopy map from one vdisk to another; those of an active-active volume are `rc_controlled`."""

    id: int
    name: str
    source: int
    target: int
    rc_controlled: bool


@dataclass(frozen=True)
class Relationship:
    """An active-active relationship: its id is the master vdisk's; all members are vdisk ids.

    `kind` is `activeactive`, or `sync`: a remote copy of two plain vdisks, as administrators make them.
    `state` is one of `replication.STATES`; while it is copying, `begun` and `until` are the wall clock
    seconds at which the background copy began and ends. A relationship just made has no change volumes.
    """

    id: int
    name: str
    master: int
    aux: int
    master_change: int | None = None
    aux_change: int | None = None
    state: str = "consistent_synchronized"
    primary: str = "master"
    begun: float = 0.0
    until: float = 0.0
    kind: str = "activeactive"

    @property
    def members(self) -> tuple[int, ...]:
        """The vdisk ids of its two or four members, in the order of the functions."""
        found = (self.master, self.aux, self.master_change, self.aux_change)
        return tuple(member for member in found if member is not None)


Record = TypeVar("Record", Pool, Vdisk, Host, LocalCopyMap, Relationship)


@dataclass(frozen=True)
class State:
    """Everything at one moment, by id; `uids` counts the UIDs ever given; none is given twice.

    `down` are the sites that are lost, `nodes` the status of the nodes that are not simply online.
    """

    pools: dict[int, Pool] = field(default_factory=dict)
    vdisks: dict[int, Vdisk] = field(default_factory=dict)
    hosts: dict[int, Host] = field(default_factory=dict)
    hostmaps: tuple[HostMap, ...] = ()
    lcmaps: dict[int, LocalCopyMap] = field(default_factory=dict)
    relationships: dict[int, Relationship] = field(default_factory=dict)
    uids: int = 0
    down: frozenset[int] = frozenset()
    nodes: dict[int, str] = field(default_factory=dict)

    def with_vdisk(self, vdisk: Vdisk) -> "State":
        """Return a state in which this vdisk is new or changed."""
        return replace(self, vdisks={**self.vdisks, vdisk.id: vdisk})

    def with_relationship(self, relationship: Relationship) -> "State":
        """Return a state in which this relationship is new or changed."""
        return replace(self, relationships={**self.relationships, relationship.id: relationship})

    def with_host(self, host: Host) -> "State":
        """Return a state in which this host is new or changed."""
        return replace(self, hosts={**self.hosts, host.id: host})

    def without_host(self, host: Host) -> "State":
        """Return a state without this host; its mappings must be gone."""
        return replace(self, hosts={k: v for k, v in self.hosts.items() if k != host.id})

    def with_hostmap(self, hostmap: HostMap) -> "State":
        """Return a state with one more host mapping."""
        return replace(self, hostmaps=(*self.hostmaps, hostmap))

    def without_hostmaps(self, gone: list[HostMap]) -> "State":
        """Return a state without these host mappings."""
        return replace(self, hostmaps=tuple(m for m in self.hostmaps if m not in gone))

    def maps_of_vdisk(self, vdisk: Vdisk) -> list[HostMap]:
        """Host mappings of a vdisk, in the order they were made."""
        return [m for m in self.hostmaps if m.vdisk == vdisk.id]

    def maps_of_host(self, host: Host) -> list[HostMap]:
        """Host mappings of a host, by LUN number."""
        return sorted((m for m in self.hostmaps if m.host == host.id), key=lambda m: m.lun)

    def lcmaps_of(self, vdisk: Vdisk) -> list[LocalCopyMap]:
        """LocalCopy maps in which a vdisk is source or target."""
        return [m for m in self.lcmaps.values() if vdisk.id in (m.source, m.target)]

    def relationship_of(self, vdisk: Vdisk) -> Relationship | None:
        """Return the relationship that a master or aux vdisk (not a change volume) belongs to."""
        return next((r for r in self.relationships.values() if vdisk.id in (r.master, r.aux)), None)


def find(records: dict[int, Record], key: str) -> Record | None:
    """Look an object up by id (a decimal number) or by exact name, as every object argument may be either."""
    if key.isascii() and key.isdigit():
        return records.get(int(key))
    return next((record for record in records.values() if record.name == key), None)


def free_id(records: dict[int, Record]) -> int:
    """Return the lowest id not in use; the array re-uses ids."""
    return next(i for i in range(len(records) + 1) if i not in records)
