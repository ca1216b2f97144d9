"""On which array a claim's volume is: one that was begun on one array is not made on another as well.

Classes, and the order of the arrays in the configuration, may change between a kill and the next try. So a
claim that waited already when this provisioner began to work may have a volume on any array, and all of them
are asked; one that came since can only have one where this process began it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from provisioner.silences import Silences, Silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from provisioner.arrays import Arrays


def several(found: Mapping[str, Volume]) -> str:
    """Return the arrays with their UIDs when what they have is more than one volume, else ""."""
    if len({volume.uid for volume in found.values()}) <= 1:
        return ""
    return " and ".join(f"{array} (UID {volume.uid})" for array, volume in found.items())


class Whereabouts:
    """Thread-safe. Remembers by the UID of a claim whether its volume may be anywhere."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._guard = threading.Lock()
        self._anywhere: set[str] = set()
        self._silences = Silences(arrays)

    def unsure(self, claim: str) -> None:
        """Note that somebody before may have begun a volume for the claim of this UID."""
        with self._guard:
            self._anywhere.add(claim)

    def sure(self, claim: str) -> None:
        """Forget that: it was looked for, or the claim is gone."""
        with self._guard:
            self._anywhere.discard(claim)

    def is_unsure(self, claim: str) -> bool:
        """Say whether the volume may be on any array."""
        with self._guard:
            return claim in self._anywhere

    def look(self, name: VolumeName, preferred: str) -> Array | None:
        """Return the array that has a volume of that name, None when every array says that it has none.

        `Fault(VOLUME_NOT_READY)` when another than the preferred one cannot be asked, that one's own faults,
        `Fault(NOT_OURS)` when several have one.
        """
        names = [storage.name for storage in self._arrays.configuration().storage]
        found = {}
        for array in names:
            itself = array == preferred
            volume = self._arrays.get(array).find_volume(name) if itself else self.on(array, name)
            if volume is not None:
                found[array] = volume
        if shown := several(found):
            raise Fault(
                Code.NOT_OURS,
                f"Volume {name} of this claim is on several arrays: {shown}. Look at them, and remove or "
                "rename those that hold nothing.",
                volume=name,
            )
        return self._arrays.get(preferred if preferred in found else next(iter(found))) if found else None

    def on(self, array: str, name: VolumeName) -> Volume | None:
        """Return the volume of that name on one array; `Fault(VOLUME_NOT_READY)` when it cannot be asked.

        Not the array's own code: the claim waits for this array, and its work is that of another one.
        """
        try:
            return self._silences.ask(array, lambda client: client.find_volume(name))
        except Silent as silent:
            raise Fault(
                Code.VOLUME_NOT_READY,
                f"It must be known first whether array {array} has volume {name} already, begun before this "
                f"provisioner took over or before its class was changed, and it cannot be asked: {silent}",
                volume=name,
                array=array,
            ) from silent
