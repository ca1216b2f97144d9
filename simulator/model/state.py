"""Everything that the array remembers, at one moment; `records.py` has the records.

A `State` is never changed in place: an operation returns a new one, so readers need no lock and a failed
operation leaves nothing to take back.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from simulator.model.records import (
    THICK,
    Copy,
    Host,
    HostMap,
    LocalCopyMap,
    Pool,
    Port,
    Relationship,
    Vdisk,
)

__all__ = [
    "THICK",
    "Copy",
    "Host",
    "HostMap",
    "LocalCopyMap",
    "Pool",
    "Port",
    "Relationship",
    "State",
    "Vdisk",
    "find",
    "free_id",
]

Record = TypeVar("Record", Pool, Vdisk, Host, LocalCopyMap, Relationship)


@dataclass(frozen=True)
class State:
    """Everything at one moment, by id; `uids` counts the UIDs ever given; none is given twice.

    `down` are the sites that are lost, `nodes` the status of the nodes that are not simply online;
    `protection` is what chsystem has made of the time of volume protection, in minutes (0: nothing).
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
    protection: int = 0

    @cached_property
    def moving(self) -> tuple[Vdisk, ...]:
        """Vdisks of which a copy is being migrated; looked for once a state."""
        return tuple(v for v in self.vdisks.values() if any(c.target is not None for c in v.copies))

    def with_pool(self, pool: Pool) -> "State":
        """Return a state in which this pool is changed."""
        return replace(self, pools={**self.pools, pool.id: pool})

    def with_vdisk(self, vdisk: Vdisk) -> "State":
        """Return a state in which this vdisk is new or changed."""
        return replace(self, vdisks={**self.vdisks, vdisk.id: vdisk})

    def with_lcmap(self, lcmap: LocalCopyMap) -> "State":
        """Return a state in which this LocalCopy map is new or changed."""
        return replace(self, lcmaps={**self.lcmaps, lcmap.id: lcmap})

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
