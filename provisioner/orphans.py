"""A report of volumes on an array that belong to no PV and no claim; nothing is deleted because of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.arrays import Arrays
    from provisioner.cluster import Object

PREFIX = "pvc-"
SHOWN = 50
_LOG = logging.getLogger(__name__)


class Orphans:
    """Looks at one array after the other, once when this provisioner begins to work."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def arrays(self) -> list[str]:
        """Return the names of the arrays of the configuration."""
        return [storage.name for storage in self._arrays.configuration().storage]

    def run(self, array: str, known: Callable[[], Iterable[Object]]) -> None:
        """Log what is on the array and belongs to no claim or PV of `known()`. `Fault`: do it again."""
        on_array = self._arrays.get(array).volume_names(PREFIX)
        names = set()
        for owner in known():  # asked for after the array, which then shows nothing that is newer
            metadata = owner["metadata"]
            names |= {metadata["name"], PREFIX + metadata["uid"]}
        found = [name for name in on_array if name not in names]
        _LOG.info(
            "Array %s has %d volume(s) %s*, %d known here",
            array,
            len(on_array),
            PREFIX,
            len(on_array) - len(found),
        )
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            _LOG.warning(
                "Array %s has %d volume(s) without PV and claim in this cluster (of another cluster, or left "
                "over; look before you delete): %s%s", array, len(found), ", ".join(found[:SHOWN]), more,
            )  # fmt: skip
