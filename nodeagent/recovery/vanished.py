"""Volumes that no array has any more, and what root code keeps of them: the record of a broken-off format.

That record allows to format again what is found under its UID: it must not outlive the volume (safety.md 6).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from instorage.wire.verbs import DetachRequest
from nodeagent.volume.takedown import WAIT_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instorage.arrays.protocol import Array
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Operation

PAUSE_SECONDS = 1.0  # an array's hiccup must not cost a node the right to finish its format
_LOG = logging.getLogger(__name__)


def forget_format(operation: Operation, uid: VolumeUid) -> None:
    """Have the record of a volume's format removed when every configured array says twice that it is gone.

    Raises what an array raises that cannot be asked: unknown is not «gone».
    """
    arrays = [operation.array(storage.name) for storage in operation.configuration.storage]
    if _known(arrays, uid):
        return
    time.sleep(PAUSE_SECONDS)  # the pause is the point: the two answers must not share one moment
    if _known(arrays, uid):
        return
    with operation.helper() as helper:  # its own: a connection answers one call at a time
        helper.detach(DetachRequest(operation.op, uid, WAIT_MS, vanished=True))
    _LOG.warning("Volume UID %s, whose format was broken off here, is on no array any more: forgotten", uid)


def _known(arrays: Sequence[Array], uid: VolumeUid) -> bool:
    return any(array.find_volume_by_uid(uid) is not None for array in arrays)
