"""The verbs of a volume's growth, the expansion of an active-active one included (safety.md 16 to 18).

Sizes are bytes, times milliseconds.
"""

from __future__ import annotations

from enum import StrEnum

from instorage.wire.record import Record
from instorage.wire.values import Bytes, VolumeUid
from instorage.wire.verbs import OfVolume, Request


class OnTarget(OfVolume):
    """`target`: where the volume is mounted."""

    target: str


class RescanRequest(OfVolume):
    """Read the size of every path again, then have the map take it: `size` is what the array says now.

    With the size of before it proves that every path is up. Refused when a path does not answer.
    """

    size: Bytes
    wait_ms: int


class RescanReply(Record):
    """The device, and the kernel names of its paths: each has that size."""

    device: str
    paths: tuple[str, ...] = ()


class GrowFilesystemRequest(OnTarget):
    """Make the file system that is mounted on a target as large as its volume."""


class GrowFilesystemReply(Record):
    """`size`: bytes of the file system, as statvfs(3) counts them: what it needs for itself is left out."""

    fs_type: str
    size: int


class FreezeRequest(OnTarget):
    """Stop writes to the volume mounted on a target until the lease ends; asked again, renew the lease.

    Thawed as well when this connection, or the helper, ends. At most 120 s at a time.
    """

    lease_ms: int


class FreezeReply(Record):
    """`intact`: nothing has thawed it since this connection asked first."""

    intact: bool


class ThawRequest(OnTarget):
    """Let the volume be written again."""


class ThawReply(FreezeReply):
    """`intact`: it was frozen from the first call of Freeze until now."""


class BarrierRequest(Request):
    """Keep, or with `erase` forget, the record of a volume's active-active expansion; no `uid`: only look.

    `record` (JSON, at most 8 KiB) is on the disk when the answer comes. `text` (at most 24 KiB) is for the
    barrier file in the plugin directory; empty: that file is left as it is.
    """

    uid: VolumeUid | None = None
    record: str = ""
    text: str = ""
    erase: bool = False


class BarrierReply(Record):
    """Every record that is kept now; six at most, so that they fit into a message."""

    records: tuple[str, ...] = ()


VERBS: dict[str, tuple[type, type]] = {
    "Rescan": (RescanRequest, RescanReply),
    "GrowFilesystem": (GrowFilesystemRequest, GrowFilesystemReply),
    "Freeze": (FreezeRequest, FreezeReply),
    "Thaw": (ThawRequest, ThawReply),
    "Barrier": (BarrierRequest, BarrierReply),
}
"""Verb to request and reply type."""


class Step(StrEnum):
    """What `steps.Step` is for the other verbs."""

    HELPER_GROWTH_RESCANNED = "helper.growth.rescanned"
    HELPER_GROWTH_MAP_RESIZED = "helper.growth.map-resized"
    HELPER_GROWTH_FILE_SYSTEM_GROWN = "helper.growth.file-system-grown"
    HELPER_FREEZE_RECORDED = "helper.freeze.recorded"
    HELPER_FREEZE_FROZEN = "helper.freeze.frozen"
    HELPER_FREEZE_THAWED = "helper.freeze.thawed"
    HELPER_FREEZE_FORGOTTEN = "helper.freeze.record-removed"
    HELPER_BARRIER_RECORDED = "helper.barrier.recorded"
    HELPER_BARRIER_SHOWN = "helper.barrier.shown"
    HELPER_BARRIER_TAKEN_DOWN = "helper.barrier.taken-down"
    HELPER_BARRIER_ERASED = "helper.barrier.erased"
