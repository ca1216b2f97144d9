"""A growth that was sent to an array and may still be carried out: what outlives the process.

The array takes a difference. Sent again by a process that knows nothing of the first one, which the array is
still carrying out, it would be added twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from instorage.wire.values import Bytes, VolumeUid  # noqa: TC001  # hints are read at run time


@dataclass(frozen=True)
class Growth:
    """A command that makes a volume `target` bytes, sent at `sent` (ms of the wall clock).

    It may still be carried out within `patience` (ms).
    """

    target: Bytes
    sent: int
    patience: int

    def left(self, size: int) -> float:
        """Return for how many seconds it may still be carried out on a volume that has `size` bytes now."""
        if size >= self.target:
            return 0.0
        return max(0.0, min(self.sent + self.patience - time.time() * 1000, self.patience) / 1000)


class GrowthLog(Protocol):
    """Where the last growth of one volume is kept; the calls raise `Fault`."""

    @property
    def uid(self) -> VolumeUid:
        """The volume's."""

    def last(self) -> Growth | None:
        """Return what was sent last, None when it is known to be done, or not to be."""

    def keep(self, growth: Growth | None) -> None:
        """Keep it where it survives a reboot; return when it is on the disk."""
