"""A report of volumes on an array that belong to no PV and no claim of it; nothing is deleted for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from provisioner.persistent_volume import storage

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
        return [one.name for one in self._arrays.configuration().storage]

    def run(self, array: str, known: Callable[[], Iterable[Object]]) -> None:
        """Log what is on the array and belongs to no claim or PV of `known()`. `Fault`: do it again."""
        on_array = self._arrays.get(array).volume_names(PREFIX)
        here, elsewhere = self._owned(array, known())  # asked after the array: nothing on it is newer
        found = [name for name in on_array if name not in here and name not in elsewhere]
        double = [f"{name} (on {elsewhere[name]})" for name in on_array if name in elsewhere]
        _LOG.info(
            "Array %s has %d volume(s) %s*, %d known here",
            array, len(on_array), PREFIX, len(on_array) - len(found) - len(double),
        )  # fmt: skip
        if found:
            _LOG.warning(
                "Array %s has %d volume(s) without PV and claim in this cluster (of another cluster, or left "
                "over; look before you delete): %s", array, len(found), _shown(found),
            )  # fmt: skip
        if double:
            _LOG.warning(
                "Array %s has %d volume(s) whose PV is about another array (made twice? look at both before "
                "you delete): %s", array, len(double), _shown(double),
            )  # fmt: skip

    def _owned(self, array: str, known: Iterable[Object]) -> tuple[set[str], dict[str, str]]:
        """Return what belongs to this array, and where else what does not: by its PV, or a claim without."""
        claims, where = set(), {}
        default = self.arrays()[0]
        for owner in known:
            metadata = owner["metadata"]
            if metadata.get("namespace"):
                claims.add(PREFIX + metadata["uid"])
            else:
                where[metadata["name"]] = storage(owner) or default
        elsewhere = {name: other for name, other in where.items() if other != array}
        return (claims | where.keys()) - elsewhere.keys(), elsewhere


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
