"""A volume that is known by name and by UID: names change behind our back, UIDs never do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid


def called(array: Array, name: VolumeName, uids: Iterable[VolumeUid]) -> Volume | None:
    """Return the volume of that name, None when the array has neither it nor one of these UIDs.

    `uids`: by which the volume was known before. VOLUME_NOT_READY when it is there under another name: it is
    not gone, and a new one of the old name would be another volume. One command when the name is there.
    """
    found = array.find_volume(name)
    if found is not None:
        return found
    for uid in uids:
        other = array.find_volume_by_uid(uid)
        if other is not None:
            raise _renamed(array.name, name, other)
    return None


def command(name: str, now: str) -> str:
    """Return the array's command that gives a volume the name back that it had; `now`: what it is called."""
    return f'chvdisk -name {name} "{now}"'


def _renamed(array: str, name: VolumeName, found: Volume) -> Fault:
    if found.name == name:
        sentence = f"Array {array} shows volume {name} by its UID {found.uid} and not by its name: ask again."
        return Fault(Code.VOLUME_NOT_READY, sentence, volume=name, array=array)
    return Fault(
        Code.VOLUME_NOT_READY,
        f"Volume {name} is called «{found.name}» on array {array} now (UID {found.uid}): it was renamed "
        f"there. Nothing was done; give it its name back on the array: {command(name, found.name)}.",
        volume=name,
        array=array,
        now=found.name,
    )
