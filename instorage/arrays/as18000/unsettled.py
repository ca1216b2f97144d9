"""Growths whose answer was lost: the command may still be under way on the array.

The array takes a difference. The same difference sent again while the first is still being carried out would
grow the volume twice, so a volume rests for as long as a command may take.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from instorage import operation
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
