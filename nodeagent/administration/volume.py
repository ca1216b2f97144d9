"""`create NAME SIZE_GB JSON` and `delete NAME JSON`: the vendor's two commands that talk to the array.

The JSON object holds StorageClass parameters, with or without the vendor's prefix `inspur.com/`. The answer
is a JSON object as of every FlexVolume call. Started by root, they go on as the agent's user once the
configuration is read: that user owns the pinned host keys, and root has no business on the network.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from instorage.arrays.expansion import require_whole
from instorage.arrays.model import Level
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes
from nodeagent.administration.array import open_array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from instorage.arrays.protocol import Array

PREFIX = "inspur.com/"
GIB = 1 << 30


def create(arguments: Sequence[str], configuration: Path) -> str:
    """Make the volume, or take the one that is there when size, pools and kind fit; return the answer."""
    if len(arguments) != 3:
        raise Fault(Code.BAD_REQUEST, "usage: create NAME SIZE_GB JSON, with the class parameters as JSON.")
    from instorage.volume_class import VolumeClass

    name, size = VolumeName.parse(arguments[0]), _size(arguments[1])
    wanted = VolumeClass.parse(_options(arguments[2]))
    with open_array(configuration, wanted.storage_name) as array:
        spec = wanted.spec(name, size)
        _refuse_interrupted(array, name, spec.level)
        volume = array.create_volume(spec)
    return _success(
        f"volume {name} with {volume.size // GIB} GiB is on array {array.name}",
        volumeName=name,
        volumeUid=volume.uid,
        size=volume.size,
    )


def delete(arguments: Sequence[str], configuration: Path) -> str:
    """Delete the volume, never under a host mapping; one that is gone is a success. Return the answer."""
    if len(arguments) not in (1, 2):
        raise Fault(
            Code.BAD_REQUEST, "usage: delete NAME JSON, where JSON may name the array as storageName."
        )
    name = VolumeName.parse(arguments[0])
    options = _options(arguments[1]) if arguments[1:] else {}
    stopped = _stopped(configuration, name)
    with open_array(configuration, options.get("storageName") or None) as array:
        _refuse_interrupted(array, name, Level.ACTIVE_ACTIVE if stopped else options.get("volLevel"))
        done = array.delete_volume(name)
    what = "is deleted from" if done else "was not on"
    return _success(f"volume {name} {what} array {array.name}", volumeName=name)


def _stopped(configuration: Path, name: VolumeName) -> bool:
    """Say whether a barrier file on this host is about the volume: it is active-active then, whole or not."""
    from instorage.configuration.settings import load
    from nodeagent.expansion import barrier

    there = barrier.all_present(load(configuration, need_host=False))
    return any(one.record is not None and one.record.volume == name for one in there)


def _refuse_interrupted(array: Array, name: VolumeName, level: str | None) -> None:
    """Raise when an active-active volume looks like another on the array: an expansion was broken off."""
    there = array.find_volume(name) if level == Level.ACTIVE_ACTIVE else None
    if there is not None:
        require_whole(there, level, array.name)


def _success(message: str, **fields: object) -> str:
    return json.dumps({"status": "Success", "message": message, **fields}, ensure_ascii=False)


def _size(text: str) -> Bytes:
    """Return the size; the vendor's «GB» are GiB, as everywhere on the array."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text, re.ASCII):
        raise Fault(Code.BAD_REQUEST, f"The size {text[:40]!r} is not a whole number of GB (1 to 9999999).")
    return Bytes.parse(int(text) * GIB)


def _options(text: str) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Fault(
            Code.BAD_REQUEST,
            'The options must be a JSON object of texts, for example {"inspur.com/volPoolName":"Pool0"}.',
        )
    return {key.removeprefix(PREFIX): value for key, value in found.items()}
