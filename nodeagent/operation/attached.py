"""What waitforattach found out and mountdevice needs again within seconds (two calls, one attach)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.wire.values import VolumeUid

FRESH_SECONDS = 20.0


@dataclass(frozen=True)
class Attached:
    """A volume that was mapped to this host alone at `at` (monotonic seconds)."""

    volume: Volume
    at: float


class Attachments:
    """The latest attaches of this process, by UID. What is older than 20 s is asked for again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._found: dict[VolumeUid, Attached] = {}

    def note(self, volume: Volume) -> None:
        """Remember that the array said just now: mapped to this host alone."""
        with self._guard:
            self._found[volume.uid] = Attached(volume, time.monotonic())

    def take(self, uid: VolumeUid) -> Volume | None:
        """Return what was noted, once, if it is fresh."""
        with self._guard:
            found = self._found.pop(uid, None)
        return found.volume if found and time.monotonic() - found.at < FRESH_SECONDS else None
