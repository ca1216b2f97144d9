"""Paths whose disks were refused as wrong: they rest, else each look would scan, refuse and remove them anew.

Mostly the volume has grown on the array, and the map here has not: a disk that is found now has the new size,
those that were found before have the old one. Once the map has another size it is tried at once.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.wire.fault import Fault
    from instorage.wire.values import VolumeUid
    from nodeagent.host.volume_paths import End, VolumeMap
    from nodeagent.operation.records import Record

REST_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


class Refusals:
    """What was refused of which map, and until when; several threads may note what is of different maps."""

    def __init__(self) -> None:
        self._until: dict[tuple[VolumeUid, int, End], tuple[float, str]] = {}  # monotonic seconds
        self._said: dict[VolumeUid, tuple[int, str]] = {}

    def resting(self, found: VolumeMap, ends: Iterable[End]) -> dict[End, str]:
        """Return which of these ends are not to be tried now, and why; not while anything is noted."""
        now = time.monotonic()
        self._until = {key: (until, why) for key, (until, why) in self._until.items() if now < until}
        keys = {end: (found.uid, found.size, end) for end in ends}
        return {end: self._until[key][1] for end, key in keys.items() if key in self._until}

    def note(self, found: VolumeMap, ends: Iterable[End], code: str, sentence: str) -> None:
        """Have these ends rest if their disks are not what they should be."""
        if code == Code.WRONG_DEVICE.value:
            until = time.monotonic() + REST_SECONDS
            self._until |= {(found.uid, found.size, end): (until, sentence) for end in ends}

    def tell(self, record: Record, found: VolumeMap, fault: Fault) -> None:
        """Say once of each size that a volume has grown on its array alone, if that is what is wrong."""
        size = str(fault.fields.get("found", ""))
        grown = fault.code is Code.WRONG_DEVICE and "remembered" not in fault.fields and size.isdecimal()
        if grown and self._said.get(found.uid) != (found.size, size):
            self._said[found.uid] = found.size, size
            _LOG.warning(
                "Volume %s has %s bytes on its array and %d in its map here, so that a path that comes "
                "back is not added. Have its claim ask for what the array gives (kubectl edit pvc): then "
                "this node takes the new size, and the path is added.",
                record.name, size, found.size,
            )  # fmt: skip
