"""Which of a volume's mappings is the one that a record speaks of.

A host object may be renamed while volumes are mapped to it, and its mappings go with it: the array then shows
them under a name that no record knows. Its id stays; but a number is given again when its object is gone, and
a name may be given to another. So a mapping is ours when name and id are those of the record, and else when
its object holds a port of this machine. That is for a record of this boot; of another one, which may be a
copy, `proof` asks for more before anything goes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from instorage.configuration.settings import Link
from nodeagent.volume.host_object import initiator, nameless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.model import Mapping
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.records import Record
    from nodeagent.volume.proof import Proof


def mapping_of(array: Array, helper: Helper, record: Record, mappings: Iterable[Mapping]) -> Mapping | None:
    """Return the mapping of the record's host object; objects are read only when none bears name and id."""
    found = tuple(mappings)
    for mapping in found:
        if mapping.host == record.host and record.host_id in ("", mapping.host_id):
            return mapping
    own = initiator(helper).port_names if found else frozenset()
    for mapping in found:
        host = array.find_host(mapping.host)
        if host is not None and own & host.port_names:
            return mapping
    if found and not own:
        raise nameless(*Link)  # «not ours» cannot be told
    return None


def followed(array: Array, helper: Helper, record: Record, volume: VolumeName) -> Record:
    """Return the record with the name that its host object has now; as it is when nothing is mapped."""
    mine = mapping_of(array, helper, record, array.mappings(volume))
    return dataclasses.replace(record, host=mine.host, host_id=mine.host_id) if mine else record


def unmap(
    array: Array, helper: Helper, record: Record, volume: VolumeName, proof: Proof | None = None
) -> bool:
    """Remove the record's mapping, whatever its host object is called now; False when there was none.

    Looked at before: who bears the recorded name now may be another machine's object, mapped by itself. With
    `proof` only a mapping that is seen goes, and only as that allows.
    """
    for last in (False, True):
        mappings = array.mappings(volume)
        mine = mapping_of(array, helper, record, mappings)
        if mine is None and (last or any(mapping.host == record.host for mapping in mappings)):
            break
        if proof is not None:
            if mine and proof.unmap(volume, mine.host):
                return True
        elif array.unmap_volume(volume, mine.host if mine else record.host):
            return True
        # It has no such mapping, or no object of that name: another look for one of another name.
    return False
