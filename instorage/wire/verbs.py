"""The verbs of a volume's life: one request and one reply type each. Sizes are bytes, times milliseconds."""

from __future__ import annotations

from enum import StrEnum

from instorage.wire.record import Record
from instorage.wire.values import Bytes, FsType, Iqn, Lun, MountOption, Portal, RequestId, VolumeUid, Wwpn


class Multipath(StrEnum):
    """Whether a single path will do when no map can be had."""

    REQUIRED = "required"
    PREFERRED = "preferred"


class IscsiPath(Record):
    """Where the array says that the volume is to be seen: one LUN behind one portal of one target."""

    portal: Portal
    target: Iqn
    lun: Lun

    def __str__(self) -> str:
        return f"portal {self.portal}"


class FcPath(Record):
    """The same over Fibre Channel: one LUN behind one target port, by whichever adapters log in to that."""

    target: Wwpn
    lun: Lun

    def __str__(self) -> str:
        return f"port {self.target}"


class Request(Record):
    """`op`: the request id of the journal (`INSTORAGE_OP`)."""

    op: RequestId


class OfVolume(Request):
    """`uid`: whose verb it is."""

    uid: VolumeUid


class InitiatorRequest(Request):
    """Ask for the names under which this machine logs in to arrays."""


class InitiatorReply(Record):
    """`iqn` is absent when open-iscsi is not set up; `wwpns` is empty without Fibre Channel."""

    iqn: Iqn | None = None
    wwpns: tuple[Wwpn, ...] = ()


class InspectRequest(Request):
    """Ask what the kernel has of one volume, or of every InStorage volume (one reply each, `more`)."""

    uid: VolumeUid | None = None


class PathState(Record):
    """A SCSI device: kernel name, H:C:T:L, SCSI state, and where it comes from.

    iSCSI: the session's `portal` and `target` (a name). Fibre Channel: the WWPNs of `target` and `initiator`.
    """

    name: str
    hctl: str
    state: str
    size: int
    portal: str | None = None
    target: str | None = None
    initiator: Wwpn | None = None


class MountState(Record):
    """A mount of the volume in the helper's mount namespace, under the name that kubelet has for it.

    `trouble`: why the kernel has stopped it or distrusts it, said of the volume; empty when it is in order.
    """

    target: str
    fs_type: str
    read_only: bool
    trouble: str = ""


class InspectReply(Record):
    """What the kernel has of a volume now. No path, map or mount: the volume is not here.

    `mounts`: kubelet's own, then others while a message has room. `holders`: what is built on it, at most 16.
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


class AttachRequest(OfVolume):
    """Bring the volume's device up over `paths` and prove that it is that volume on each of them.

    `add_only`: give paths to the map, of `size`, of a mounted volume; nothing goes, and no map is made.
    """

    size: Bytes
    paths: tuple[IscsiPath, ...]
    multipath: Multipath
    wait_ms: int
    fc_paths: tuple[FcPath, ...] = ()
    add_only: bool = False


class RefusedPath(Record):
    """A path that is not used, of either link, with the fault's code and sentence."""

    code: str
    sentence: str
    path: IscsiPath | None = None
    fc_path: FcPath | None = None


class AttachReply(Record):
    """`device` is a stable name below /dev/disk/by-id; fewer `found` than asked for means degraded.

    `queueing`: what multipathd does with the map without a path. `add_only`: `found` are those in the map.
    """

    device: str
    multipath: bool
    found: tuple[str, ...] = ()
    refused: tuple[RefusedPath, ...] = ()
    queueing: str = ""


class LeaveRequest(Request):
    """End our sessions without a device to portals of a target that the array has no more."""

    target: Iqn
    portals: tuple[Portal, ...]
    wait_ms: int


class DetachRequest(OfVolume):
    """Flush, remove the map and every path of the volume; refused while anything uses it.

    `vanished`: the array has it no more, so that nothing is to be finished: the record of a format goes too.
    """

    wait_ms: int
    vanished: bool = False


class DetachReply(Record):
    """The kernel names that were removed; empty when nothing was there. `lost`: as in `UnmountReply`."""

    removed: tuple[str, ...] = ()
    lost: bool = False


class MountRequest(OfVolume):
    """Mount the volume on a device-mount target, formatting it first if it is proven new.

    `may_format`: the array's word (mapped here alone, nothing written) and the request's (read-write); it can
    only forbid, also to repeat a broken-off format: the helper proves emptiness itself. `shared`: others may
    have it, it is never written, not even by a journal's replay. `copied`: it may be the target of a copy.
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


class MountReply(Record):
    """`formatted` says that a file system was made; `already` that the mount was there.

    `multipath`, `paths`: whether it is mounted through a map, and how many disks of the volume are here.
    """

    device: str
    fs_type: str
    formatted: bool = False
    already: bool = False
    multipath: bool = False
    paths: int = 0


class BindRequest(OfVolume):
    """Bind the volume's device mount to a pod's directory of the same name; refused if another is there."""

    source: str
    target: str
    read_only: bool


class BindReply(Record):
    """`already` says that the bind was there."""

    already: bool = False


class UnmountRequest(Request):
    """Sync and unmount a target of either shape. Success when nothing of ours is mounted there.

    `unmapped`: the array says that it is not mapped here; refused unless every path says so, twice, too.
    """

    target: str
    unmapped: bool = False


class UnmountReply(Record):
    """`uid` is the volume that was mounted there, absent when nothing was.

    `lost`: writes could not be brought to the array. The unmount went on, for a dead volume must go.
    """

    uid: VolumeUid | None = None
    lost: bool = False


class Empty(Record):
    """A reply without content."""


VERBS: dict[str, tuple[type, type]] = {
    **{"Initiator": (InitiatorRequest, InitiatorReply), "Inspect": (InspectRequest, InspectReply)},
    **{"Attach": (AttachRequest, AttachReply), "Leave": (LeaveRequest, Empty)},
    **{"Detach": (DetachRequest, DetachReply), "Mount": (MountRequest, MountReply)},
    **{"Bind": (BindRequest, BindReply), "Unmount": (UnmountRequest, UnmountReply)},
}
"""Verb to request and reply type."""
