"""PVs that wait for a provisioner that is not there: nobody takes our finalizer off them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from provisioner.claims import notes
from provisioner.events import Event
from provisioner.persistent_volume import FINALIZER, PROVISIONED_BY, has_finalizer, is_ours

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Object
    from provisioner.events import Events

OTHERS_SECONDS = 600.0  # a provisioner of the name that the PV has may be at work, or about to start


class Stranded:
    """Says in an event on the PV why it stays, and what ends that. Touches nothing: it may be another's."""

    def __init__(self, events: Events, provisioner: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._provisioner = provisioner
        self._clock = clock
        self._guard = threading.Lock()
        self._since: dict[str, float] = {}

    def concerns(self, volume: Object) -> bool:
        """Say whether a PV that is being deleted has our finalizer, and is not this provisioner's."""
        going = bool(volume["metadata"].get("deletionTimestamp"))
        return going and has_finalizer(volume) and not is_ours(volume, self._provisioner)

    def run(self, volume: Object) -> float:
        """Say it; return the seconds after which to look again first, 0 when it is said."""
        by = notes(volume).get(PROVISIONED_BY)
        with self._guard:
            since = self._since.setdefault(volume["metadata"]["uid"], self._clock())
        left = since + OTHERS_SECONDS - self._clock()
        if by and by != self._provisioner and left > 0:
            return left
        message = f"The finalizer {FINALIZER} keeps this PV, and nobody takes it off: {self._why(volume, by)}"
        event = Event(volume, "PersistentVolume", normal=False, reason="VolumeDeletionStuck", message=message)
        self._events.say(event)
        return 0.0

    def forget(self, uid: str) -> None:
        """Forget a PV that is gone."""
        with self._guard:
            self._since.pop(uid, None)

    def _why(self, volume: Object, by: str | None) -> str:
        name = volume["metadata"]["name"]
        mend = (
            f"have it finished by its reclaim policy with: kubectl annotate --overwrite pv {name} "
            f"{PROVISIONED_BY}={self._provisioner}"
        )
        if by == self._provisioner:
            return "it is no flexVolume any more. Look after its volume, then remove the finalizer by hand."
        if by:
            return (
                f"it was provisioned by {by}, this provisioner is {self._provisioner}. If none of that name "
                f"works any more (-provisioner-name), {mend}"
            )
        return f"its annotation {PROVISIONED_BY} was removed; {mend}"
