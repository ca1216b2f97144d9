"""What the array remembers, record by record: pools, vdisks with copies, hosts, mappings, relationships.

Records are frozen. Sizes are bytes.
"""

from dataclasses import dataclass

THICK = -1


@dataclass(frozen=True)
class Pool:
    """A managed disk group: `capacity` and `extent` in bytes, `site` 1 or 2; `category` ssa: flash alone.

    `protected`: what is in it has volume protection, where the system has that on.
    """

    id: int
    name: str
    capacity: int
    extent: int
    site: int
    category: str = ""
    protected: bool = True


@dataclass(frozen=True)
class Copy:
    """One copy of a vdisk in one pool.

    `rsize` is the real capacity a thin copy begins with (its contingency), or THICK; `warning` is a
    percentage (0: none), `grain` KiB (0 when thick or compressed). It is synchronised, or migrated to pool
    `target`, from wall clock second `begun` to `until`. `status` is online or offline; `progress`, how much
    of it is synchronised (percent), is said by a test; 100 leaves it to the clock.
    """

    id: int
    pool: int
    rsize: int = THICK
    autoexpand: bool = False
    warning: int = 0
    grain: int = 0
    compressed: bool = False
    intier: str = "on"
    begun: float = 0.0
    until: float = 0.0
    target: int | None = None
    status: str = "online"
    progress: int = 100

    @property
    def thin(self) -> bool:
        """True when the copy allocates as it is written, compressed copies included."""
        return self.rsize != THICK

    def synchronized(self, now: float) -> bool:
        """Tell whether it holds what its vdisk holds at this wall clock second."""
        return self.progress == 100 and (self.target is not None or self.until <= now)


@dataclass(frozen=True)
class Vdisk:
    """A vdisk: plain, or one of the four of an active-active volume (`function` says which).

    The first of `copies` is the primary. `volume` is the vdisk id of the volume's master (its own id when
    plain), `access` the I/O groups through which hosts reach it, `formatted_at` the wall clock second at
    which background formatting ends. `content` is the data as far as they matter here: what was written
    (control verb `write`), one after the other; `used_at` the wall clock second of the last I/O that is known
    of: such a write, or a mapping (a host reads what it gets). `throttling`: I/Os a second, or with `MB` MiB
    a second; 0: any.
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
    throttling: str = "0"
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
    """A host's port: `kind` is iscsi, fc, sas or nvme.

    `name` is an IQN in small letters (the array folds them), 16 upper-case hex digits, or an NQN.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Host:
    """A host object; `site` 0: none; `next_lun` counts when LUN numbers rest; `chap`: its CHAP secret.

    `portset`: the addresses that it may use, with the dialect of that name.
    """

    id: int
    name: str
    ports: tuple[Port, ...]
    site: int = 0
    type: str = "generic"
    next_lun: int = 0
    chap: str = ""
    portset: int = 0

    def names(self, *kinds: str) -> list[str]:
        """Port names of these kinds."""
        return [port.name for port in self.ports if port.kind in kinds]


@dataclass(frozen=True)
class HostMap:
    """A vdisk shown to a host under one SCSI id (LUN number), in every I/O group of the vdisk's access."""

    host: int
    vdisk: int
    lun: int


@dataclass(frozen=True)
class LocalCopyMap:
    """A LocalCopy map from one vdisk to another; those of an active-active volume are `rc_controlled`.

    `status` is as lslcmap shows it; while it is copying in the background, `begun` and `until` are the wall
    clock seconds of that. `progress` is in percent, as it was at the last change of the status.
    """

    id: int
    name: str
    source: int
    target: int
    rc_controlled: bool
    copy_rate: int = 0
    autodelete: bool = False
    status: str = "idle_or_copied"
    progress: int = 0
    started: str = ""
    begun: float = 0.0
    until: float = 0.0


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
