"""The volume of a PV on its array, before it is deleted: what is not found there must not be anywhere else.

The vendor's PVs name no array. Their volumes were on the first one of the configuration as it was then; an
entry that was put before it since has never heard of them. Nor do they tell a UID: whether one that is found
nowhere is gone, or on an array that left the configuration, is not known. And the name of an array may have
been given to another one: a UID that is not there is asked for everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.volume_class import AS13000_ONLY
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from provisioner.persistent_volume import options, storage, uids
from provisioner.silences import Silences, Silent
from provisioner.whereabouts import several

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from provisioner.arrays import Arrays
    from provisioner.cluster import Object


class Lookup:
    """Thread-safe."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._silences = Silences(arrays)

    def of(self, volume: Object) -> tuple[Array, Volume | None]:
        """Return the PV's array and the volume there, None when neither it nor any other has it.

        `Fault`: the volume was renamed, is on several arrays, or an array that may have it is silent; or
        nobody knows whether it ever was on one of them, and the PV is not deleted by hand.
        """
        going = volume["metadata"].get("deletionTimestamp")
        if not going:
            _require_ours(volume)
        named = storage(volume)
        array = self._arrays.get(named)
        found = {array.name: _called(array, volume)}
        if named is None or (found[array.name] is None and uids(volume)):
            others = (one.name for one in self._arrays.configuration().storage if one.name != array.name)
            found |= {other: self._elsewhere(other, volume) for other in others}
        there = {name: one for name, one in found.items() if one is not None}
        if shown := several(there):
            raise _on_several(volume, shown)
        if not there and not uids(volume) and not going:
            raise _never_seen(volume)
        where = next(iter(there), array.name)
        return self._arrays.get(where), there.get(where)

    def _elsewhere(self, array: str, volume: Object) -> Volume | None:
        """Return the PV's volume on an array that it does not name, or that is not the first.

        Not the array's own code when it cannot be asked: the work is that of the first one.
        """
        try:
            answer = self._silences.ask(array, lambda client: _answer(client, volume))
        except Silent as silent:
            name, named = volume["metadata"]["name"], storage(volume)
            told = f"array {named}, which has no such volume" if named else "no array (storageName)"
            raise Fault(
                Code.VOLUME_NOT_READY,
                f"PV {name} names {told}, so that its volume may be on any of the "
                f"configuration, and array {array} cannot be asked: {silent}",
                volume=name,
                array=array,
            ) from silent
        if isinstance(answer, Fault):
            raise answer
        return answer


def _answer(array: Array, volume: Object) -> Volume | Fault | None:
    """Return what an array says of the PV's volume; that it was renamed is an answer too.

    Where the PV names another array, only its UID counts: a namesake here is not its own.
    """
    if storage(volume) and all(array.find_volume_by_uid(uid) is None for uid in uids(volume)):
        return None
    try:
        return _called(array, volume)
    except Fault as fault:
        if "now" not in fault.fields:
            raise
        return fault


def _called(array: Array, volume: Object) -> Volume | None:
    """Return the PV's volume; `Fault` when it was renamed: who did that may well want to keep it."""
    name = VolumeName.parse(str(volume["metadata"]["name"]))
    try:
        return naming.called(array, name, uids(volume))
    except Fault as fault:
        if "now" not in fault.fields:
            raise
        keep = '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'
        sentence = (
            f"{fault.sentence} To keep it under its new name instead: kubectl patch pv {name} -p '{keep}'"
        )
        raise Fault(fault.code, sentence, **fault.fields) from fault


def for_as13000(volume: Object) -> str:
    """Return the option by which a PV is the vendor's for an AS13000, "" when it has none of them."""
    return next((key for key in AS13000_ONLY if options(volume).get(key)), "")


def _require_ours(volume: Object) -> None:
    name, key = volume["metadata"]["name"], for_as13000(volume)
    if key:
        raise Fault(
            Code.NOT_SUPPORTED,
            f"Volume {name} is not deleted: its PV is for an AS13000 (option {key}), which this version does "
            f"not support yet. Delete it there, then the PV: kubectl delete pv {name}",
            volume=name,
        )


def _never_seen(volume: Object) -> Fault:
    name = volume["metadata"]["name"]
    return Fault(
        Code.VOLUME_MISSING,
        f"PV {name} is kept: it tells no UID, and its volume is on no array of the configuration. It was "
        "deleted by hand, or is on an array that is not there any more: add that array; or look after the "
        f"volume, then delete the PV: kubectl delete pv {name}",
        volume=name,
    )


def _on_several(volume: Object, shown: str) -> Fault:
    name = volume["metadata"]["name"]
    return Fault(
        Code.NOT_OURS,
        f"Volume {name} is not deleted: its PV names no array (storageName), and it is on several: {shown}. "
        "Look at them, and remove or rename those that are not this PV's.",
        volume=name,
    )
