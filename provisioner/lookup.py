"""The volume of a PV on its array, before it is deleted: what is not found there must not be anywhere else.

The vendor's PVs name no array. Their volumes were on the first one of the configuration as it was then; an
entry that was put before it since has never heard of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from provisioner.persistent_volume import storage, uids
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

        `Fault`: the volume was renamed, is on several arrays, or an array that may have it cannot be asked.
        """
        named = storage(volume)
        names = [named] if named else [one.name for one in self._arrays.configuration().storage]
        array = self._arrays.get(names[0])
        found = {array.name: _called(array, volume)}
        found |= {other: self._elsewhere(other, volume) for other in names[1:]}
        there = {name: one for name, one in found.items() if one is not None}
        if shown := several(there):
            raise _on_several(volume, shown)
        where = next(iter(there), array.name)
        return self._arrays.get(where), there.get(where)

    def _elsewhere(self, array: str, volume: Object) -> Volume | None:
        """Return the PV's volume on an array that it does not name and that is not the first.

        Not the array's own code when it cannot be asked: the work is that of the first one.
        """
        try:
            answer = self._silences.ask(array, lambda client: _answer(client, volume))
        except Silent as silent:
            name = volume["metadata"]["name"]
            raise Fault(
                Code.VOLUME_NOT_READY,
                f"PV {name} names no array (storageName), so that its volume may be on any of the "
                f"configuration, and array {array} cannot be asked: {silent}",
                volume=name,
                array=array,
            ) from silent
        if isinstance(answer, Fault):
            raise answer
        return answer


def _answer(array: Array, volume: Object) -> Volume | Fault | None:
    """Return what an array says of the PV's volume; that it was renamed is an answer too."""
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


def _on_several(volume: Object, shown: str) -> Fault:
    name = volume["metadata"]["name"]
    return Fault(
        Code.NOT_OURS,
        f"Volume {name} is not deleted: its PV names no array (storageName), and it is on several: {shown}. "
        "Look at them, and remove or rename those that are not this PV's.",
        volume=name,
    )
