"""When this host is compared with the arrays: at the start, and then a few times a day.

What others do to volumes of ours meanwhile nobody tells us: the node learns of it when a pod writes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent.operation import journal
from nodeagent.recovery import comparison, namesake

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from instorage.volume_name import VolumeName
    from nodeagent.operation.node import Operation

EVERY_SECONDS = 6 * 3600.0  # a handful of commands an array: 500 nodes are one node's comparison a minute
_LOG = logging.getLogger(__name__)


class Comparisons:
    """The comparisons of one process, of which one knows what the last one suspected."""

    def __init__(self, begin: Callable[[str, VolumeName | None], AbstractContextManager[Operation]]) -> None:
        self._begin = begin
        self._suspected: set[str] = set()

    @property
    def pause(self) -> float:
        """Seconds until the next one."""
        return namesake.AGAIN_SECONDS if self._suspected else EVERY_SECONDS

    def compare(self) -> None:
        """Compare once; what keeps it is said."""
        try:
            with self._begin("comparing with the arrays", None) as operation:
                comparison.compare_all(operation, self._suspected)
        except Fault as fault:
            _LOG.warning("The arrays could not be compared with the records: %s", journal.brief(fault))
