"""Deleting the volume of a PV that is released or being deleted, by its reclaim policy.

Only when nobody wants the volume, by UID or by name, by the word of the API server directly before
(`wanting.py`); and only for a PV that is proven to have had its claim: one that was made anew from a copy is
released at once as well, and its volume holds the data that somebody is about to get back.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.expansion import require_whole
from instorage.arrays.model import Level
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.events import Event
from provisioner.last_look import LastLook
from provisioner.lookup import Lookup, for_as13000
from provisioner.persistent_volume import (
    FINALIZER,
    claim_path,
    has_finalizer,
    is_marked,
    is_ours,
    mark,
    names_half_a_claim,
    note_uid,
    options,
    take_up,
    uids,
)

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from provisioner.arrays import Arrays
    from provisioner.cluster import Cluster, Object
    from provisioner.events import Events
    from provisioner.persistent_volume import Names
    from provisioner.wanting import Wanting

_LOG = logging.getLogger(__name__)
_OVER = ("Released", "Failed")
_NEW = ("", "Pending", "Available")


class Deletion:
    """Deletes volumes, then their PVs. Asks the API server itself before anything irrevocable."""

    def __init__(
        self, cluster: Cluster, arrays: Arrays, events: Events, names: Names, wanting: Wanting
    ) -> None:
        self._cluster = cluster
        self._lookup = Lookup(arrays)
        self._events = events
        self._names = names
        self._wanting = wanting

    def concerns(self, volume: Object) -> bool:
        """Say whether a PV may have something to be done about, going by the copy of it here."""
        if not is_ours(volume, self._names.provisioner):
            return False
        return self._ends(volume) or (_phase(volume) == "Bound" and _is_new_here(volume))

    def run(self, seen: Object) -> None:
        """Do what the PV's state asks for. `Fault`, `Away`, `Refusal`: do it again."""
        volume = self._fresh(seen)
        if volume is None or not self.concerns(volume):
            return
        if "Bound" in (_phase(seen), _phase(volume)) and _is_new_here(volume):
            patch = mark(volume) if has_finalizer(volume) else take_up(volume)
            volume = self._cluster.patch(_path(volume), patch)
        if not self._ends(volume):
            return
        if self._claimed(volume):
            if volume["metadata"].get("deletionTimestamp"):
                self._say(
                    volume, "VolumeDeletionWaits", "The volume stays until the claim that uses it is gone."
                )
            return
        if not _deletes(volume):
            _LOG.info("PV %s goes, its volume stays on the array (reclaim policy)", _name(volume))
        elif volume["metadata"].get("deletionTimestamp") and for_as13000(volume):
            kept = f"Volume {_name(volume)} stays: its PV is for an AS13000, which is not supported yet."
            self._say(volume, "VolumeKept", kept, normal=False)
        else:
            volume = self._delete_on_array(volume)
        self._let_go(volume)

    def vanished(self, volume: Object) -> None:
        """Report the volume of a PV that went without our finalizer (the vendor's) while it was in use.

        Kubernetes' own finalizer lets it go when it is not Bound any more; what is marked had ours.
        """
        alone = volume["metadata"].get("deletionTimestamp") and not is_marked(volume)
        over = _phase(volume) == "Bound" or (_phase(volume) in _OVER and alone and not has_finalizer(volume))
        if is_ours(volume, self._names.provisioner) and over and _deletes(volume):
            _LOG.error(
                "Volume %s may be an orphan on the array: its PV was deleted while it was bound, without the "
                "finalizer that keeps it until the claim is gone.", _name(volume),
            )  # fmt: skip

    def _ends(self, volume: Object) -> bool:
        if volume["metadata"].get("deletionTimestamp"):
            return has_finalizer(volume)
        return _deletes(volume) and _phase(volume) in _OVER and bool(_owner(volume))

    def _fresh(self, seen: Object) -> Object | None:
        """Return the PV as it is now, None when it is gone or another has its name."""
        volume = self._cluster.get(_path(seen))
        same = volume is not None and volume["metadata"]["uid"] == seen["metadata"]["uid"]
        return volume if same else None

    def _claimed(self, volume: Object) -> bool:
        """Say whether the claim of this PV is still there: bound, or about to be.

        Without a UID in its claimRef the PV is kept for whatever claim has the name.
        """
        if names_half_a_claim(volume):
            raise _whose_claim(volume)
        path = claim_path(volume)
        claim = self._cluster.get(path) if path else None
        if claim is None or _owner(volume) not in ("", claim["metadata"]["uid"]):
            return False
        return not (_owner(volume) and _passed_over(volume, claim))

    def _delete_on_array(self, volume: Object) -> Object:
        """Delete the volume, unless somebody wants it; return the PV by now.

        A PV from a copy that is deleted goes without it.
        """
        name = VolumeName.parse(_name(volume))
        array, there = self._lookup.of(volume)
        if there is not None:
            _require_ours(volume, there, array.name)
        told = volume["metadata"].get("deletionTimestamp")
        if told and there is not None and not is_marked(volume):
            kept = f"Volume {name} stays on array {array.name}: this PV was never bound (was it made anew?)."
            self._say(volume, "VolumeKept", kept, normal=False)
            return volume
        refuse = partial(self._wanting.refuse, volume, there, array.name)
        look = LastLook(_name(volume), lambda: self._changed(volume), refuse)
        if there is not None or not told:
            refuse()
        if there is not None and not uids(volume):
            volume = self._cluster.patch(_path(volume), note_uid(volume, there.uid))
        with operation.only_while(look):
            deleted = there is not None and array.delete_volume(name, there.uid)
        what = "is deleted" if deleted else "was deleted before" if uids(volume) else "is not there"
        self._say(volume, "VolumeDeleted", f"Volume {name} on array {array.name} {what}.")
        return volume

    def _changed(self, volume: Object) -> str:
        """Return what keeps the volume by now: policy, claimRef or claim may have changed meanwhile."""
        now = self._fresh(volume)
        same = now is not None and now["spec"].get("claimRef") == volume["spec"].get("claimRef")
        if now is None or not same or not _deletes(now) or not self._ends(now):
            return "its PV was changed just now"
        return "its claim is there" if self._claimed(now) else ""

    def _let_go(self, volume: Object) -> None:
        metadata = volume["metadata"]
        if has_finalizer(volume):
            kept = [name for name in metadata["finalizers"] if name != FINALIZER]
            version = metadata["resourceVersion"]
            self._cluster.patch(_path(volume), {"metadata": {"resourceVersion": version, "finalizers": kept}})
        if not metadata.get("deletionTimestamp"):
            self._cluster.delete(_path(volume), metadata["uid"])

    def _say(self, volume: Object, reason: str, message: str, *, normal: bool = True) -> None:
        event = Event(volume, "PersistentVolume", normal=normal, reason=reason, message=message)
        self._events.say(event)


def _is_new_here(volume: Object) -> bool:
    """Say whether a bound PV, the vendor's perhaps, is to be taken up: not once it is being deleted."""
    if has_finalizer(volume):
        return not is_marked(volume)
    return not volume["metadata"].get("deletionTimestamp")


def _require_ours(volume: Object, there: Volume, array: str) -> None:
    """Raise unless what the array shows is what the PV was made for, and whole."""
    expected = next(iter(uids(volume)), None)
    if expected and there.uid != expected:
        raise Fault(
            Code.NOT_OURS,
            f"Volume {there.name} on array {array} is not deleted: it has UID {there.uid}, the PV was "
            f"made for {expected}. Somebody made another volume of that name: look at both, then remove "
            f"the PV's finalizer {FINALIZER} by hand.",
            volume=there.name,
        )
    level = options(volume).get("volLevel")
    if expected or level == Level.ACTIVE_ACTIVE:
        require_whole(there, level, array)


def _whose_claim(volume: Object) -> Fault:
    name = _name(volume)
    left_out = "namespace" if volume["spec"]["claimRef"].get("name") else "name"
    mend = f'kubectl patch pv {name} -p \'{{"spec":{{"claimRef":null}}}}\''
    return Fault(
        Code.NOT_OURS,
        f"PV {name} and its volume are left alone: its claimRef has no {left_out}, so that nobody can tell "
        f"whether its claim is there. Complete it, or take it off when no claim uses the volume: {mend}",
        volume=name,
    )


def _passed_over(volume: Object, claim: Object) -> bool:
    """Say whether a PV is deleted before its claim was bound: Kubernetes does not bind it any more.

    No pod has used it then, and the claim would wait for it for ever.
    """
    unbound = _phase(volume) in _NEW and not claim["spec"].get("volumeName")
    return unbound and bool(volume["metadata"].get("deletionTimestamp"))


def _owner(volume: Object) -> str:
    """Return the UID of the claim that a PV is kept for, "" when it is free or kept for a name alone."""
    return str((volume["spec"].get("claimRef") or {}).get("uid") or "")


def _deletes(volume: Object) -> bool:
    return bool(volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete")


def _phase(volume: Object) -> str:
    return str((volume.get("status") or {}).get("phase", ""))


def _name(volume: Object) -> str:
    return str(volume["metadata"]["name"])


def _path(volume: Object) -> str:
    return f"{VOLUMES}/{_name(volume)}"
