"""A volume of ours that the array no longer maps to this host: found, explained, and left as it is.

It is never mapped again from here: who unmapped it may have fenced this node, and another may write to it by
now. What of it is mounted nowhere is taken down by reconciliation, as everything that nobody uses.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.arrays.protocol import Array
    from nodeagent.operation.records import Record

_LOG = logging.getLogger(__name__)


def say(array: Array, record: Record) -> None:
    """Say what became of a volume that was unmapped from outside, and who must do what.

    Raises what the array raises: unknown is not «gone».
    """
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
