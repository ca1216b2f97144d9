"""What the agent may ask of the root helper: one request and one reply type a verb.

The interface's text is `helper/io.inspur.instorage.Helper.varlink`; a test holds both equal. Sizes are bytes,
times milliseconds. Every request carries `op`, the request id of the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from instorage.wire.values import Bytes, FsType, Iqn, Lun, MountOption, Portal, RequestId, VolumeUid, Wwpn

INTERFACE = "io.inspur.instorage.Helper"


class LockMode(StrEnum):
    """Shared: one mapping or unmapping among others. Exclusive: a whole active-active expansion."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class Multipath(StrEnum):
    """Whether a single path will do when no map can be had."""

    REQUIRED = "required"
    PREFERRED = "preferred"


@dataclass(frozen=True)
class IscsiPath:
    """Where the array says that the volume is to be seen: one LUN behind one portal of one target."""

    portal: Portal
    target: Iqn
    lun: Lun


@dataclass(frozen=True)
class _Request:
    """`op`: the request id of the journal."""

    op: RequestId


@dataclass(frozen=True)
class _OfVolume(_Request):
    uid: VolumeUid


@dataclass(frozen=True)
class _OnTarget(_OfVolume):
    target: str


class InitiatorRequest(_Request):
    """Ask for the names under which this machine logs in to arrays."""


@dataclass(frozen=True)
class InitiatorReply:
    """`iqn` is absent when open-iscsi is not set up; `wwpns` is empty without Fibre Channel."""

    iqn: Iqn | None = None
    wwpns: tuple[Wwpn, ...] = ()


@dataclass(frozen=True)
class InspectRequest(_Request):
    """Ask what the kernel has of one volume, or of every InStorage volume (one reply each, `more`)."""

    uid: VolumeUid | None = None


@dataclass(frozen=True)
class PathState:
    """A SCSI device: kernel name, H:C:T:L, SCSI state, and for iSCSI the session's portal and target."""

    name: str
    hctl: str
    state: str
    size: int
    portal: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class MountState:
    """A mount of the volume in the helper's mount namespace."""

    target: str
    fs_type: str
    read_only: bool


@dataclass(frozen=True)
class InspectReply:
    """What the kernel has of a volume now. No path, map or mount: the volume is not here.

    `holders` name what else keeps it (another map, an open by a process), as far as it was cheap to see.
    `formatting`: a format was begun by this host and has not ended.
    """

    uid: VolumeUid | None = None
    device: str | None = None
    multipath: bool = False
    size: int = 0
    paths: tuple[PathState, ...] = ()
    mounts: tuple[MountState, ...] = ()
    holders: tuple[str, ...] = ()
    formatting: bool = False


@dataclass(frozen=True)
class LockRequest(_Request):
    """Take or renew the host lock for this connection; dropped when the connection or the lease ends."""

    mode: LockMode
    lease_ms: int
    wait_ms: int


@dataclass(frozen=True)
class LockReply:
    """The lock is held; `not_locked` names files that other programs may lock beside us, and why."""

    not_locked: tuple[str, ...] = ()


class UnlockRequest(_Request):
    """Give the host lock up."""


@dataclass(frozen=True)
class AttachRequest(_OfVolume):
    """Bring the volume's device up over `paths` and prove that it is that volume on each of them."""

    size: Bytes
    paths: tuple[IscsiPath, ...]
    multipath: Multipath
    wait_ms: int


@dataclass(frozen=True)
class RefusedPath:
    """A path that is not used, with the fault's code and sentence."""

    path: IscsiPath
    code: str
    sentence: str


@dataclass(frozen=True)
class AttachReply:
    """`device` is a stable name below /dev/disk/by-id; fewer `found` than asked for means degraded."""

    device: str
    multipath: bool
    found: tuple[str, ...] = ()
    refused: tuple[RefusedPath, ...] = ()


@dataclass(frozen=True)
class DetachRequest(_OfVolume):
    """Flush, remove the map and every path of the volume; refused while anything uses it.

    `vanished`: the array has it no more, so that nothing is to be finished: the record of a format goes too.
    """

    wait_ms: int
    vanished: bool = False


@dataclass(frozen=True)
class DetachReply:
    """The kernel names that were removed; empty when nothing was there."""

    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class MountRequest(_OfVolume):
    """Mount the volume on a device-mount target, formatting it first if it is proven new.

    `may_format` is the array's word (mapped to this host alone, nothing written, no copy relation) and the
    request's (read-write): it can only forbid. The helper proves emptiness itself. `shared` says that other
    hosts may have the volume: it is then never written, not even by the replay of a journal.
    `copied` says that another volume may be copied to it: then not even a broken-off format is repeated.
    """

    size: Bytes
    target: str
    fs_type: FsType
    read_only: bool
    may_format: bool
    multipath: Multipath
    options: tuple[MountOption, ...] = ()
    shared: bool = False
    copied: bool = False


@dataclass(frozen=True)
class MountReply:
    """`formatted` says that a file system was made; `already` that the mount was there."""

    device: str
    fs_type: str
    formatted: bool = False
    already: bool = False


@dataclass(frozen=True)
class BindRequest(_Request):
    """Bind a volume's device mount to a pod's directory of the same volume name."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class BindReply:
    """`already` says that the bind was there."""

    already: bool = False


@dataclass(frozen=True)
class UnmountRequest(_Request):
    """Sync and unmount a target of either shape. Success when nothing of ours is mounted there."""

    target: str


@dataclass(frozen=True)
class UnmountReply:
    """`uid` is the volume that was mounted there, absent when nothing was."""

    uid: VolumeUid | None = None


@dataclass(frozen=True)
class RescanRequest(_OfVolume):
    """Read the size of every path again, then have the map take it: `size` is what the array says now.

    With the size of before it proves that every path is up. Refused when a path does not answer.
    """

    size: Bytes
    wait_ms: int


@dataclass(frozen=True)
class RescanReply:
    """The device, and the kernel names of its paths: each has that size."""

    device: str
    paths: tuple[str, ...] = ()


class GrowFilesystemRequest(_OnTarget):
    """Make the file system that is mounted on a target as large as its volume."""


@dataclass(frozen=True)
class GrowFilesystemReply:
    """`size`: bytes of the file system, as statvfs(3) counts them: what it needs for itself is left out."""

    fs_type: str
    size: int


@dataclass(frozen=True)
class FreezeRequest(_OnTarget):
    """Stop writes to the volume mounted on a target until the lease ends; asked again, renew the lease.

    Thawed as well when this connection, or the helper, ends. At most 120 s at a time.
    """

    lease_ms: int


@dataclass(frozen=True)
class FreezeReply:
    """`intact`: nothing has thawed it since this connection asked first."""

    intact: bool


class ThawRequest(_OnTarget):
    """Let the volume be written again."""


@dataclass(frozen=True)
class ThawReply:
    """`intact`: it was frozen from the first call of Freeze until now."""

    intact: bool


@dataclass(frozen=True)
class BarrierRequest(_Request):
    """Keep, or with `erase` forget, the record of a volume's active-active expansion; no `uid`: only look.

    `record` (JSON, at most 8 KiB) is on the disk when the answer comes. `text` (at most 24 KiB) is for the
    barrier file in the plugin directory; empty: that file is left as it is.
    """

    uid: VolumeUid | None = None
    record: str = ""
    text: str = ""
    erase: bool = False


@dataclass(frozen=True)
class BarrierReply:
    """Every record that is kept now; six at most, so that they fit into a message."""

    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Empty:
    """A reply without content."""


VERBS: dict[str, tuple[type, type]] = {
    "Initiator": (InitiatorRequest, InitiatorReply),
    "Inspect": (InspectRequest, InspectReply),
    "Lock": (LockRequest, LockReply),
    "Unlock": (UnlockRequest, Empty),
    "Attach": (AttachRequest, AttachReply),
    "Detach": (DetachRequest, DetachReply),
    "Mount": (MountRequest, MountReply),
    "Bind": (BindRequest, BindReply),
    "Unmount": (UnmountRequest, UnmountReply),
    "Rescan": (RescanRequest, RescanReply),
    "GrowFilesystem": (GrowFilesystemRequest, GrowFilesystemReply),
    "Freeze": (FreezeRequest, FreezeReply),
    "Thaw": (ThawRequest, ThawReply),
    "Barrier": (BarrierRequest, BarrierReply),
}
"""Verb to request and reply type: the whole of what root code does for the agent."""
