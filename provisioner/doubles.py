"""Two volumes of one claim: two provisioners made one each, and the claim's PV names the other one's.

So it goes when the arrays in the configurations of two hosts have another order, or a class was changed
between: what one has sent when its lease goes is carried out, and the other one's array knows nothing of it.
Two hosts may as well name one array differently: by its UID alone is a disk another one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from instorage import operation
from instorage.tenancy.grant import STORAGE_OPTION, UID_OPTION
from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.complaint import FAILED
from provisioner.events import CLAIM, Event
from provisioner.last_look import LastLook
from provisioner.persistent_volume import options, reclaim_policy

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays
    from provisioner.begun import Begun
    from provisioner.cluster import Cluster, Object
    from provisioner.events import Events
    from provisioner.wanting import Wanting


class Doubles:
    """Takes back what was made here when the claim has its PV for another disk, or says why it stays."""

    def __init__(self, cluster: Cluster, arrays: Arrays, events: Events, wanting: Wanting) -> None:
        self._cluster = cluster
        self._arrays = arrays
        self._events = events
        self._wanting = wanting

    def other(self, there: Object, volume: Volume, array: Array) -> str:
        """Return which disk the PV is about when that is not `volume` of `array`, "" when it is.

        The vendor's PV does not tell the UID, and mostly no array: it is the first one's then.
        """
        if "flexVolume" not in there["spec"]:
            return "another driver's disk"
        told = options(there)
        where, uid = told.get(STORAGE_OPTION) or self._arrays.get(None).name, told.get(UID_OPTION, "")
        if uid.lower() == volume.uid or (not uid and where == array.name):
            return ""
        return f"the one on array {where} (UID {uid or 'not told'})"

    def take_back(self, begun: Begun, volume: Volume, array: Array, there: Object, other: str) -> None:
        """Delete `volume`: the PV `there` is about `other`. `Fault`: it stays, or does so for now."""
        name = volume.name
        refuse = partial(self._refuse, begun, volume, array, there, other)
        look = LastLook(str(name), partial(self._changed, begun, there), refuse)
        refuse()
        with operation.only_while(look):
            array.delete_volume(name, volume.uid)
        message = (
            f"Another provisioner has written the PV of this claim, about {other}: the new volume {name} on "
            f"array {array.name} is deleted."
        )
        reason = "ProvisioningCancelled"
        self._events.say(
            Event(begun.wanted.claim, CLAIM, normal=True, reason=reason, message=message, ends=(FAILED,))
        )

    def _changed(self, begun: Begun, there: Object) -> str:
        """Return what keeps the volume by now: another one may have given the claim this very one."""
        if not begun.ours:
            return "another one may have led since"
        now = self._cluster.get(f"{VOLUMES}/{there['metadata']['name']}")
        same = now is not None and now["metadata"]["uid"] == there["metadata"]["uid"]
        return "" if same else "the PV of its claim is gone, or another one by now"

    def _refuse(self, begun: Begun, volume: Volume, array: Array, there: Object, other: str) -> None:
        kept = self._kept(begun, volume, there)
        if kept:
            raise Fault(
                Code.VOLUME_EXISTS,
                f"Volume {volume.name} on array {array.name} (UID {volume.uid}) is a second one of this "
                f"claim, whose PV is about {other}. It stays: {kept}. Look at both; delete or rename this "
                "one on the array.",
                volume=volume.name,
                array=array.name,
            )

    def _kept(self, begun: Begun, volume: Volume, there: Object) -> str:
        """Return why the volume stays, "" when nothing speaks for it."""
        if not begun.ours or begun.uid != volume.uid:
            return "it was not made for this claim by this provisioner, so far as that can be proven"
        if reclaim_policy(begun.wanted) == "Retain":
            return "its class has the reclaim policy Retain"
        if not options(there).get(UID_OPTION):
            return "that PV does not tell its UID, and one array may have several names"
        others = self._wanting.volumes(volume)
        return f"it is wanted by {others}" if others else ""
