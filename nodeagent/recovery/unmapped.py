"""A volume of ours that the array no longer maps to this host: found, explained, and left as it is.

It is never mapped again from here: who unmapped it may have fenced this node, and another may write to it by
now. What of it is mounted nowhere is taken down by reconciliation, as everything that nobody uses.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code
from nodeagent.volume import owner

if TYPE_CHECKING:
    from instorage.arrays.protocol import Array
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record
    from nodeagent.volume.owner import Owner

_LOG = logging.getLogger(__name__)


def say(operation: Operation, array: Array, record: Record) -> None:
    """Say what became of a volume that was unmapped from outside, and who must do what.

    The record's name may mean another array by now, so all are asked before it counts as deleted. Raises what
    an array raises: unknown is not «gone».
    """
    if other := moved(operation, array, record):
        array = other.array
    found = array.find_volume_by_uid(record.uid)
    if found is None:
        _LOG.warning(
            "Volume %s (UID %s), which is attached here, is on array %s no more: it was unmapped from "
            "outside and deleted. Its mount takes no more data; end the pod that uses it, and see who "
            "deleted it.",
            record.name, record.uid, array.name,
        )  # fmt: skip
        return
    others = sorted(mapping.host for mapping in array.mappings(found.name))
    if record.host in others:
        return  # mapped again meanwhile, by a call
    if others:
        _LOG.warning(
            "Array %s no longer maps volume %s to this host (%s): it was unmapped from outside and given "
            "to %s, as a node that counts as dead is fenced. What its mount has not written is lost. End "
            "the pod that uses it here, and do not map it back: two hosts would write.",
            array.name, record.name, record.host, ", ".join(others),
        )  # fmt: skip
        return
    _LOG.warning(
        "Array %s no longer maps volume %s to this host (%s): it was unmapped from outside. Its mount takes "
        "no more data; end the pod that uses it: the next one gets it anew. Do not map it back under the "
        "mount: its LUN number may be another volume's by now.",
        array.name, record.name, record.host,
    )  # fmt: skip


def moved(operation: Operation, array: Array, record: Record) -> Owner | None:
    """Return the other array that has a volume, and say it: its name means another one, `array`, by now.

    None when `array` has it, or nobody. Raises what an array raises: unknown is not «nobody».
    """
    if array.find_volume_by_uid(record.uid) is not None:
        return None
    found = owner.find(operation, record.uid, besides=array.name)
    if found is None:
        return None
    now = found.array.name
    _LOG.warning(
        "Volume %s (UID %s), which is attached here from array %s, is on array %s: in %s that name was given "
        "to another array. It is found by its UID when its pod ends; what attaches it anew needs storageName "
        "%s, or the array its name back.",
        record.name, record.uid, record.storage, now, operation.configuration.path, now,
        extra={"code": Code.BAD_CONFIGURATION.value},
    )  # fmt: skip
    return found
