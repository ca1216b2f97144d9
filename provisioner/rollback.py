"""Taking back the volume of a claim that is gone, or was bound to another one, before it had its PV.

Only what this process proved to be its own is deleted: a volume that was on the array before, under whatever
name, may hold data, and so may one that the class wants to keep.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from provisioner.claims import claim_at
from provisioner.cluster import VOLUMES
from provisioner.events import Event
from provisioner.last_look import LastLook
from provisioner.persistent_volume import reclaim_policy

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays
    from provisioner.begun import Begun
    from provisioner.cluster import Cluster
    from provisioner.events import Events
    from provisioner.wanting import Wanting

_LOG = logging.getLogger(__name__)


class Rollback:
    """Deletes what was made for nobody, or says why it stays."""

    def __init__(self, cluster: Cluster, arrays: Arrays, events: Events, wanting: Wanting) -> None:
        self._cluster = cluster
        self._arrays = arrays
        self._events = events
        self._wanting = wanting

    def run(self, begun: Begun) -> None:
        """Take the volume back. `Fault`, `Away`, `Refusal`: do it again."""
        name = begun.wanted.spec.name
        if begun.ours is None or self._cluster.get(f"{VOLUMES}/{name}") is not None:
            return  # nothing was sent; or the PV decides
        array = self._arrays.get(begun.array)
        there = array.find_volume(name)
        if there is None:
            _require_settled(begun)
            self._look_by_uid(begun, array)
            return
        look = self._last_look(begun, there)
        kept = self._kept(begun, there)
        if not kept:
            try:
                with operation.only_while(look):
                    array.delete_volume(name, there.uid)
            except Fault as fault:
                if fault.code is not Code.VOLUME_MAPPED:
                    raise
                kept = fault.sentence
        self._say(begun, kept)

    def _look_by_uid(self, begun: Begun, array: Array) -> None:
        """Say of a volume that has another name by now that it stays: somebody gave it that name."""
        renamed = array.find_volume_by_uid(VolumeUid.parse(begun.uid)) if begun.uid else None
        if renamed is not None:
            self._say(begun, f"it is called «{renamed.name}» there by now")

    def _kept(self, begun: Begun, there: Volume) -> str:
        """Return why the volume stays, "" when nothing speaks for it."""
        if not begun.ours or (begun.uid and begun.uid != there.uid):
            return "it was not made for this claim by this provisioner, so far as that can be proven"
        if reclaim_policy(begun.wanted) == "Retain":
            return "its class has the reclaim policy Retain"
        wanted = self._wanting.by_whom(begun.wanted.spec.name, there)
        return f"it is wanted by {wanted}" if wanted else ""

    def _last_look(self, begun: Begun, there: Volume) -> LastLook:
        """Return what is asked when the command is sent: who leads next may have given the volume away."""
        name = str(begun.wanted.spec.name)
        return LastLook(name, lambda: self._changed(begun), lambda: self._refuse(begun, there))

    def _changed(self, begun: Begun) -> str:
        wanted = begun.wanted
        if not begun.ours:
            return "another provisioner may have led since it was made"
        if self._cluster.get(f"{VOLUMES}/{wanted.spec.name}") is not None:
            return "it has a PV now"
        claim = self._cluster.get(claim_at(wanted.namespace, wanted.claim["metadata"]["name"]))
        if claim is None or claim["metadata"]["uid"] != wanted.uid:
            return ""
        return "its claim is there" if claim["spec"].get("volumeName", "") in ("", wanted.spec.name) else ""

    def _refuse(self, begun: Begun, there: Volume) -> None:
        kept = self._kept(begun, there)
        if kept:
            name = str(begun.wanted.spec.name)
            sentence = f"Volume {name} on array {begun.array} is not deleted: {kept}."
            raise Fault(Code.NOT_OURS, sentence, volume=name, array=begun.array)

    def _say(self, begun: Begun, kept: str) -> None:
        wanted, gone = begun.wanted, "The claim is gone or bound to another volume;"
        message = f"{gone} its new volume is deleted."
        if kept:
            name = wanted.spec.name
            message = f"{gone} volume {name} stays on array {begun.array}: {kept}."
            _LOG.error(
                "Volume %s on array %s is an orphan: its claim %s/%s is gone, it has no PV. %s",
                name, begun.array, wanted.namespace, wanted.claim["metadata"]["name"], kept,
            )  # fmt: skip
        self._events.say(
            Event(
                wanted.claim, "PersistentVolumeClaim", normal=not kept, reason="ProvisioningCancelled",
                message=message,
            )
        )  # fmt: skip


def _require_settled(begun: Begun) -> None:
    if begun.may_come:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {begun.wanted.spec.name} may still come on array {begun.array}, whose answer was lost: "
            "it is looked for again.",
            volume=begun.wanted.spec.name,
        )
