"""Deleting the volume of a PV that is released or being deleted, by its reclaim policy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.arrays.expansion import require_whole
from instorage.arrays.model import Level
from instorage.tenancy.grant import UID_OPTION
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.events import Event
from provisioner.persistent_volume import FINALIZER, claim_path, has_finalizer, is_ours, options

if TYPE_CHECKING:
    from provisioner.arrays import Arrays
    from provisioner.cluster import Cluster, Object
    from provisioner.events import Events
    from provisioner.persistent_volume import Names

_LOG = logging.getLogger(__name__)
_OVER = ("Released", "Failed")


class Deletion:
    """Deletes volumes, then their PVs. Asks the API server itself before anything irrevocable."""

    def __init__(self, cluster: Cluster, arrays: Arrays, events: Events, names: Names) -> None:
        self._cluster = cluster
        self._arrays = arrays
        self._events = events
        self._names = names

    def concerns(self, volume: Object) -> bool:
        """Say whether a PV may have something to be done about, going by the copy of it here."""
        if not is_ours(volume, self._names.provisioner):
            return False
        if volume["metadata"].get("deletionTimestamp"):
            return has_finalizer(volume)
        deletes = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        return deletes and (volume.get("status") or {}).get("phase") in _OVER

    def run(self, seen: Object) -> None:
        """Do what the PV's state asks for. `Fault`, `Away`, `Refusal`: do it again."""
        volume = self._cluster.get(f"{VOLUMES}/{seen['metadata']['name']}")
        if volume is None or volume["metadata"]["uid"] != seen["metadata"]["uid"]:
            return
        if not self.concerns(volume):
            return
        if self._claimed(volume):
            if volume["metadata"].get("deletionTimestamp"):
                self._say(
                    volume, "VolumeDeletionWaits", "The volume stays until the claim that uses it is gone."
                )
            return
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._delete_on_array(volume)
        else:
            name = volume["metadata"]["name"]
            _LOG.info("PV %s goes, its volume stays on the array (reclaim policy)", name)
        self._let_go(volume)

    def _claimed(self, volume: Object) -> bool:
        """Say whether the claim of this PV is still there: bound, or about to be."""
        path = claim_path(volume)
        claim = self._cluster.get(path) if path else None
        return claim is not None and claim["metadata"]["uid"] == volume["spec"]["claimRef"].get("uid")

    def _delete_on_array(self, volume: Object) -> None:
        name = VolumeName.parse(volume["metadata"]["name"])
        given = options(volume)
        array = self._arrays.get(given.get("storageName") or None)
        expected = given.get(UID_OPTION)
        level = given.get("volLevel")
        pair = level == Level.ACTIVE_ACTIVE
        there = array.find_volume(name) if expected or pair else None
        if there is not None and expected and there.uid != expected:
            raise Fault(
                Code.NOT_OURS,
                f"Volume {name} on array {array.name} is not deleted: it has UID {there.uid}, the PV was "
                f"made for {expected}. Somebody made another volume of that name: look at both, then remove "
                f"the PV's finalizer {FINALIZER} by hand.",
                volume=name,
            )
        if there is not None:
            require_whole(there, level, array.name)
        deleted = array.delete_volume(name) if there is not None or not (expected or pair) else False
        what = "is deleted" if deleted else "was deleted before"
        self._say(volume, "VolumeDeleted", f"Volume {name} on array {array.name} {what}.")

    def _let_go(self, volume: Object) -> None:
        metadata = volume["metadata"]
        path = f"{VOLUMES}/{metadata['name']}"
        if has_finalizer(volume):
            kept = [name for name in metadata["finalizers"] if name != FINALIZER]
            version = metadata["resourceVersion"]
            self._cluster.patch(path, {"metadata": {"resourceVersion": version, "finalizers": kept}})
        if not metadata.get("deletionTimestamp"):
            self._cluster.delete(path, metadata["uid"])

    def _say(self, volume: Object, reason: str, message: str) -> None:
        event = Event(volume, "PersistentVolume", normal=True, reason=reason, message=message)
        self._events.say(event)
