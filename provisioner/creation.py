"""Making the volume of a claim and its PV: whatever is interrupted converges when it is done again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from provisioner.claims import as_quantity, claim_at, requested
from provisioner.cluster import VOLUMES, Refusal
from provisioner.complaint import FAILED
from provisioner.events import CLAIM, Event
from provisioner.persistent_volume import built, is_marked, mark

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.tenancy.signature import SigningKey
    from provisioner.arrays import Arrays
    from provisioner.begun import Begun, Undertakings
    from provisioner.claims import Wanted
    from provisioner.cluster import Cluster, Object
    from provisioner.doubles import Doubles
    from provisioner.events import Events
    from provisioner.persistent_volume import Names
    from provisioner.rollback import Rollback

BEGUN = "Provisioning"
"""The reason of the event that says where a claim's volume is being made."""


class Creation:
    """Creates; remembers what it began, so that a claim deleted meanwhile leaves no volume behind."""

    def __init__(
        self, cluster: Cluster, arrays: Arrays, events: Events, names: Names, key: SigningKey,
        undertakings: Undertakings, rollback: Rollback, doubles: Doubles,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._arrays = arrays
        self._events = events
        self._names = names
        self._key = key
        self._undertakings = undertakings
        self._rollback = rollback
        self._doubles = doubles

    def run(self, wanted: Wanted) -> None:
        """Make volume and PV, or find what is there of them. `Fault`, `Away`, `Refusal`: do it again."""
        known = self._undertakings.get(wanted.uid) is not None
        begun = self._undertakings.begin(wanted)
        array = self._arrays.get(begun.array)
        if not known:
            self._say(wanted, BEGUN, f"Volume {wanted.spec.name} is being made on {array.name}.")
        volume = _made(array, begun)
        if not self._still_wanted(wanted):
            self._rollback.run(begun)
            self._undertakings.finished(wanted.uid)
            return
        keep = not begun.ours  # however little is on it by now: whoever uses it may write when this is done
        there = self._save(wanted, built(wanted, volume, array.name, self._names, self._key, keep=keep))
        if other := self._doubles.other(there, volume, array):
            self._doubles.take_back(begun, volume, array, there, other)
            self._undertakings.finished(wanted.uid, made=True)
            return
        self._undertakings.finished(wanted.uid, made=True)
        if not is_marked(there):
            self._say_late(wanted)
            return
        success = _success(wanted, volume, array.name)
        self._say(wanted, "ProvisioningSucceeded", success, ends=(FAILED,))
        if keep:
            self._say_kept(wanted, array.name)
        self._check_key(wanted)

    def seen(self, claim: Object, *, gone: bool, early: bool) -> None:
        """Note that a claim is gone, or that it was there before this process began to work (`early`)."""
        self._undertakings.seen(claim, gone=gone, early=early)

    def begun(self, uid: str) -> Wanted | None:
        """Return what was begun for a claim and not finished."""
        begun = self._undertakings.get(uid)
        return begun.wanted if begun else None

    def unfinished(self) -> tuple[str, ...]:
        """Return the UIDs of all claims for which something was begun and not finished."""
        return self._undertakings.claims()

    def outlive(self) -> None:
        """Let nothing count as proven any more: another provisioner may have led since."""
        self._undertakings.outlive()

    def undo(self, wanted: Wanted) -> None:
        """Remove what was begun for a claim that is gone, or bound to another volume."""
        begun = self._undertakings.get(wanted.uid)
        if begun is not None and not self._still_wanted(wanted):  # else bound to this very one
            self._rollback.run(begun)
        self._undertakings.finished(wanted.uid)

    def _still_wanted(self, wanted: Wanted) -> bool:
        """Ask the API server itself: the copy here may be behind."""
        claim = self._cluster.get(claim_at(wanted.namespace, wanted.claim["metadata"]["name"]))
        if claim is None or claim["metadata"]["uid"] != wanted.uid:
            return False
        return claim["spec"].get("volumeName", "") in ("", wanted.spec.name)

    def _save(self, wanted: Wanted, volume: Object) -> Object:
        """Write the PV, and mark it with its own UID: the claim is there, and a copy will have another.

        Return the PV of the claim that is there: it may be another provisioner's. It is not marked when the
        claim is gone by now: who stood still before he wrote it may bring back a PV that others have removed.
        """
        try:
            there = self._cluster.create(VOLUMES, volume)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            found = self._cluster.get(f"{VOLUMES}/{wanted.spec.name}")
            if found is None:
                raise
            self._require_of(wanted, found)
            there = found
        if not is_marked(there) and self._still_wanted(wanted):
            return self._cluster.patch(f"{VOLUMES}/{wanted.spec.name}", mark(there))
        return there

    def _require_of(self, wanted: Wanted, there: Object) -> None:
        if (there["spec"].get("claimRef") or {}).get("uid") != wanted.uid:
            raise Fault(
                Code.VOLUME_EXISTS,
                f"There is a PV {wanted.spec.name} that does not belong to this claim: remove or rename it.",
                volume=wanted.spec.name,
            )

    def _say_late(self, wanted: Wanted) -> None:
        message = f"The claim went while PV {wanted.spec.name} was written: that PV says what becomes of it."
        self._say(wanted, "ProvisioningCancelled", message, normal=False)

    def _say_kept(self, wanted: Wanted, array: str) -> None:
        message = (
            f"Volume {wanted.spec.name} was on array {array} before, and may be used or hold data: its PV "
            "has the policy Retain, so that it stays when the claim goes. Change it in the PV if you know "
            "better."
        )
        self._say(wanted, "VolumeKept", message, normal=False)

    def _check_key(self, wanted: Wanted) -> None:
        """Say that nodes will not use the volume, if their configuration is like the one here."""
        keys = self._arrays.configuration().volume_keys
        if keys and self._key.public_line not in keys:
            message = (
                f"Nodes refuse this volume: {self._key.public_line} is not under host.volumeKey of the "
                "configuration; add it on every node."
            )
            self._say(wanted, "VolumeKeyNotListed", message, normal=False)

    def _say(
        self, wanted: Wanted, reason: str, message: str, *, normal: bool = True, ends: tuple[str, ...] = ()
    ) -> None:
        event = Event(wanted.claim, CLAIM, normal=normal, reason=reason, message=message, ends=ends)
        self._events.say(event)


def _made(array: Array, begun: Begun) -> Volume:
    """Make the volume, or return what is there; note what is proven of it."""
    if begun.ours is None:
        try:
            return _noted(begun, array.create_volume(begun.wanted.spec, adopt=False), ours=True)
        except Fault as fault:
            if fault.code is Code.OUTCOME_UNKNOWN:
                begun.ours, begun.sent = True, time.monotonic()
            if fault.code is not Code.VOLUME_EXISTS:
                raise
            begun.ours = False
    try:
        volume = array.create_volume(begun.wanted.spec)
    except Fault as fault:
        if fault.code is Code.OUTCOME_UNKNOWN:
            begun.sent = time.monotonic()
        raise
    return _noted(begun, volume, ours=begun.ours and begun.uid in ("", volume.uid))


def _noted(begun: Begun, volume: Volume, *, ours: bool) -> Volume:
    begun.ours, begun.uid, begun.sent = ours, volume.uid, None
    return volume


def _success(wanted: Wanted, volume: Volume, array: str) -> str:
    asked, got = requested(wanted.claim), volume.size
    more = f" {as_quantity(asked)} were asked for; the array gives whole GiB." if got != asked else ""
    shared = ""
    if "ReadOnlyMany" in wanted.claim["spec"]["accessModes"]:
        shared = (
            " It is empty and used by one node; several nodes read a filled volume through a second PV, "
            "written by hand with policy Retain and the option readers: many."
        )
    return f"Volume {volume.name} of {as_quantity(got)} is made on array {array}.{more}{shared}"
