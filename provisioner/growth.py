"""An early look at a claim that was enlarged: says at once what the node that grows it will run into.

Only the node grows a volume (flexvolume.md 1: the array takes a difference, so two growers would grow twice).
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.arrays.model import Level
from instorage.volume_name import VolumeName
from instorage.wire.fault import Fault
from provisioner.claims import as_quantity, quantity, requested
from provisioner.complaint import of_claim
from provisioner.persistent_volume import options, storage, uids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays
    from provisioner.cluster import Object
    from provisioner.events import Events

GIB = 1 << 30
_LOG = logging.getLogger(__name__)


class Growth:
    """Looks once at each size that a claim was given."""

    def __init__(self, arrays: Arrays, events: Events) -> None:
        self._arrays = arrays
        self._events = events
        self._guard = threading.Lock()
        self._seen: dict[str, str] = {}

    def concerns(self, claim: Object) -> bool:
        """Say whether a bound claim asks for more than it has, and nobody has looked at that size yet.

        For every claim of the cluster, whoever serves it: sizes are compared, none is refused here.
        """
        has = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
        asked = _asked(claim)
        with self._guard:
            if has is None or self._seen.get(claim["metadata"]["uid"]) == asked:
                return False
        try:
            return quantity(asked) > quantity(str(has))
        except (ValueError, ArithmeticError):
            _LOG.warning(
                "Claim %s/%s is left alone: its sizes %.80s and %.80s cannot be compared",
                claim["metadata"].get("namespace"), claim["metadata"]["name"], asked, has,
            )  # fmt: skip
            return False

    def run(self, claim: Object, volume: Object) -> None:
        """Ask the array, and say in an event what stands in the way."""
        try:
            size = requested(claim)
        except Fault as fault:  # more than any volume can have: nothing to ask an array about
            self._say(claim, _asked(claim), [fault.sentence.rstrip(".")])
            return
        name = VolumeName.parse(volume["metadata"]["name"])
        array = self._arrays.get(storage(volume))
        there = naming.called(array, name, uids(volume))
        if there is None:
            troubles = [f"there is no volume {name} on array {array.name}"]
        else:
            troubles = list(_troubles(array, there, size, options(volume)))
        self._say(claim, as_quantity(size), troubles)

    def forget(self, uid: str) -> None:
        """Forget a claim that is gone."""
        with self._guard:
            self._seen.pop(uid, None)

    def _say(self, claim: Object, size: str, troubles: list[str]) -> None:
        with self._guard:
            self._seen[claim["metadata"]["uid"]] = _asked(claim)
        if troubles:
            self._events.say(of_claim(claim, f"The volume cannot grow to {size} now: {'; '.join(troubles)}."))


def _asked(claim: Object) -> str:
    return str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))


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
    # The pools of now: a volume may have been migrated. A mirror's two are not named, and taken from its PV.
    told = tuple(given.get(key) for key in ("volPoolName", "volAuxPoolName"))
    for pool_name in told if "many" in volume.pools else volume.pools:
        pool = array.pool(pool_name) if pool_name and not thin else None
        if pool is not None and pool.free < needed:
            yield (
                f"pool {pool.name} on array {array.name} has {pool.free / GIB:.1f} GiB free, "
                f"{needed / GIB:.1f} GiB are needed: free space in it"
            )
