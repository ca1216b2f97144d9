"""Growths whose answer was lost: the command may still be under way on the array.

The array takes a difference. The same difference sent again while the first is still being carried out would
grow the volume twice, so a volume rests for as long as a command may take.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.session.refusal import Refused
from instorage.arrays.growth import Growth
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instorage.arrays.growth import GrowthLog
    from instorage.arrays.model import Volume
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid


class Unsettled:
    """What this process knows of growths under way, its own threads' included. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._until: dict[str, float] = {}

    @contextlib.contextmanager
    def turn(self, name: VolumeName, seconds: float) -> Iterator[None]:
        """Hold the volume: two threads that read the same size would both add. TIMEOUT."""
        with self._guard:
            turn = self._turns[name]
        if not turn.acquire(timeout=max(0.0, operation.left(seconds))):
            raise Fault(
                Code.TIMEOUT, f"Volume {name} is growing already: another call has not ended.", volume=name
            )
        try:
            yield
        finally:
            turn.release()

    def lost(self, uid: VolumeUid, seconds: float) -> None:
        """Remember that a growth may still be carried out within the next `seconds`."""
        with self._guard:
            self._until[uid] = self._clock() + seconds

    def left(self, uid: VolumeUid) -> float:
        """Return for how many seconds a lost growth of that volume may still be carried out."""
        with self._guard:
            now = self._clock()
            self._until = {volume: until for volume, until in self._until.items() if until > now}
            return self._until.get(uid, now) - now


@dataclass(frozen=True)
class Past:
    """What this process and `log` know of growths of before; a command may take `patience` seconds."""

    unsettled: Unsettled
    patience: float
    log: GrowthLog | None = None

    def left(self, volume: Volume) -> float:
        """Return for how many seconds a growth of before may still be carried out."""
        kept = self.log.last() if self.log else None
        return max(self.unsettled.left(volume.uid), kept.left(volume.size) if kept else 0.0)

    @contextlib.contextmanager
    def sending(self, target: int) -> Iterator[None]:
        """Keep what is sent in this block, directly before it is: for as long as this process would wait.

        That is the time for its answer, and the one that a volume rests when none came. What is refused was
        not carried out.
        """

        def keep() -> None:
            if self.log:
                lasting = int(2 * self.patience * 1000)
                self.log.keep(Growth(Bytes(target), int(time.time() * 1000), lasting))

        try:
            with operation.only_while(keep):
                yield
        except Refused:
            if self.log:
                self.log.keep(None)
            raise
