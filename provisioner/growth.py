"""An early look at a claim that was enlarged: says at once what the node that grows it will run into.

Only the node grows a volume (flexvolume.md 1: the array takes a difference, so two growers would grow twice).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.arrays.model import Level
from instorage.volume_name import VolumeName
from instorage.wire.fault import Fault
from provisioner.claims import as_quantity, quantity, requested
from provisioner.events import Event
from provisioner.persistent_volume import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays
    from provisioner.cluster import Object
    from provisioner.events import Events

GIB = 1 << 30


class Growth:
    """Looks once at each size that a claim was given."""

    def __init__(self, arrays: Arrays, events: Events) -> None:
        self._arrays = arrays
        self._events = events
        self._guard = threading.Lock()
        self._seen: dict[str, int] = {}

    def concerns(self, claim: Object) -> bool:
        """Say whether a bound claim asks for more than it has, and nobody has looked at that size yet."""
        has = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
        if has is None:
            return False
        asked = requested(claim)
        with self._guard:
            return asked > quantity(has) and self._seen.get(claim["metadata"]["uid"]) != asked

    def run(self, claim: Object, volume: Object) -> None:
        """Ask the array, and say in an event what stands in the way."""
        name = VolumeName.parse(volume["metadata"]["name"])
        array = self._arrays.get(options(volume).get("storageName") or None)
        there = array.find_volume(name)
        if there is None:
            troubles = [f"there is no volume {name} on array {array.name}"]
        else:
            troubles = list(_troubles(array, there, requested(claim), options(volume)))
        with self._guard:
            self._seen[claim["metadata"]["uid"]] = requested(claim)
        if troubles:
            message = f"The volume cannot grow to {as_quantity(requested(claim))} now: {'; '.join(troubles)}."
            self._events.say(
                Event(
                    claim, "PersistentVolumeClaim", normal=False, reason="ExpansionBlocked", message=message
                )
            )


def _troubles(array: Array, volume: Volume, asked: int, given: dict[str, str]) -> Iterator[str]:
    if volume.copy_relations:
        yield "it has snapshots or clones: delete them first"
    if volume.formatting:
        yield "the array is still formatting it: it grows when that is done"
    needed = -(-asked // GIB) * GIB - volume.size
    if needed <= 0:
        return
    if volume.level is Level.ACTIVE_ACTIVE:
        needed *= 2  # its change volumes grow too (array-as18000.md 7.6)
    try:
        thin = array.volume_usage(volume.name).thin
    except Fault as fault:
        yield fault.sentence.rstrip(".")
        return
    for pool_name in (given.get(key) for key in ("volPoolName", "volAuxPoolName")):
        pool = array.pool(pool_name) if pool_name and not thin else None
        if pool is not None and pool.free < needed:
            yield (
                f"pool {pool.name} on array {array.name} has {pool.free / GIB:.1f} GiB free, "
                f"{needed / GIB:.1f} GiB are needed: free space in it"
            )
