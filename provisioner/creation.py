"""Making the volume of a claim and its PV: whatever is interrupted converges when it is done again."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from provisioner.claims import as_quantity, requested
from provisioner.cluster import VOLUMES, Refusal
from provisioner.events import Event
from provisioner.persistent_volume import built

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.tenancy.signature import SigningKey
    from provisioner.arrays import Arrays
    from provisioner.claims import Wanted
    from provisioner.cluster import Cluster, Object
    from provisioner.events import Events
    from provisioner.persistent_volume import Names

_LOG = logging.getLogger(__name__)


class Creation:
    """Creates; remembers what it began, so that a claim deleted meanwhile leaves no volume behind."""

    def __init__(
        self, cluster: Cluster, arrays: Arrays, events: Events, names: Names, key: SigningKey
    ) -> None:
        self._cluster = cluster
        self._arrays = arrays
        self._events = events
        self._names = names
        self._key = key
        self._guard = threading.Lock()
        self._begun: dict[str, Wanted] = {}

    def run(self, wanted: Wanted) -> None:
        """Make volume and PV, or find what is there of them. `Fault`, `Away`, `Refusal`: do it again."""
        array = self._arrays.get(wanted.kind.storage_name)
        with self._guard:
            known = wanted.uid in self._begun
            self._begun[wanted.uid] = wanted
        if not known:
            self._say(wanted, "Provisioning", f"Volume {wanted.spec.name} is being made on {array.name}.")
        volume = array.create_volume(wanted.spec)
        if not self._still_wanted(wanted):
            self._take_back(wanted, array)
            return
        self._save(wanted, built(wanted, volume, array.name, self._names, self._key))
        self._finished(wanted)
        self._say(wanted, "ProvisioningSucceeded", _success(wanted, volume, array.name))
        self._check_key(wanted)

    def begun(self, uid: str) -> Wanted | None:
        """Return what was begun for a claim and not finished."""
        with self._guard:
            return self._begun.get(uid)

    def undo(self, wanted: Wanted) -> None:
        """Remove what was begun for a claim that is gone, or bound to another volume."""
        if self._still_wanted(wanted):  # bound to this very one
            self._finished(wanted)
        else:
            self._take_back(wanted, self._arrays.get(wanted.kind.storage_name))

    def _still_wanted(self, wanted: Wanted) -> bool:
        """Ask the API server itself: the copy here may be behind."""
        name = wanted.claim["metadata"]["name"]
        claim = self._cluster.get(f"/api/v1/namespaces/{wanted.namespace}/persistentvolumeclaims/{name}")
        if claim is None or claim["metadata"]["uid"] != wanted.uid:
            return False
        return claim["spec"].get("volumeName", "") in ("", wanted.spec.name)

    def _take_back(self, wanted: Wanted, array: Array) -> None:
        """Delete the volume of a claim that is gone; never while a PV or a mapping of it exists."""
        if self._cluster.get(f"{VOLUMES}/{wanted.spec.name}") is None:
            try:
                array.delete_volume(wanted.spec.name)
            except Fault as fault:
                if fault.code is not Code.VOLUME_MAPPED:
                    raise
                _LOG.error(
                    "Volume %s on array %s is an orphan: its claim %s/%s is gone, it has no PV. %s",
                    wanted.spec.name, array.name, wanted.namespace, wanted.claim["metadata"]["name"], fault,
                )  # fmt: skip
            else:
                what = "The claim is gone or bound to another volume; its new volume is deleted."
                self._say(wanted, "ProvisioningCancelled", what)
        self._finished(wanted)

    def _finished(self, wanted: Wanted) -> None:
        with self._guard:
            self._begun.pop(wanted.uid, None)

    def _save(self, wanted: Wanted, volume: Object) -> None:
        try:
            self._cluster.create(VOLUMES, volume)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            name = volume["metadata"]["name"]
            there = self._cluster.get(f"{VOLUMES}/{name}")
            reference = (there or {}).get("spec", {}).get("claimRef") or {}
            if there is not None and reference.get("uid") != wanted.uid:
                raise Fault(
                    Code.VOLUME_EXISTS,
                    f"There is a PV {name} that does not belong to this claim: remove or rename it.",
                    volume=name,
                ) from None
            if there is None:
                raise

    def _check_key(self, wanted: Wanted) -> None:
        """Say that nodes will not use the volume, if their configuration is like the one here."""
        keys = self._arrays.configuration().volume_keys
        if keys and self._key.public_line not in keys:
            message = (
                f"Nodes refuse this volume: {self._key.public_line} is not under host.volumeKey of the "
                "configuration; add it on every node."
            )
            self._say(wanted, "VolumeKeyNotListed", message, normal=False)

    def _say(self, wanted: Wanted, reason: str, message: str, *, normal: bool = True) -> None:
        event = Event(wanted.claim, "PersistentVolumeClaim", normal=normal, reason=reason, message=message)
        self._events.say(event)


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
