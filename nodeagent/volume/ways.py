"""The paths that an array gives this host to its volumes, by each volume's I/O groups and LUNs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.verbs import IscsiPath

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.model import IscsiTarget, Mapping
    from nodeagent.operation.expected import SanPath


def of_mapping(mapping: Mapping, targets: Iterable[IscsiTarget], portset: str) -> tuple[SanPath, ...]:
    """Return the paths to one mapped volume; `portset` is its host object's."""
    luns = dict(mapping.luns)
    found = [
        IscsiPath(target.portal, target.iqn, luns[target.io_group])
        for target in targets
        if target.io_group in luns and target.open_to(portset)
    ]
    return tuple(dict.fromkeys(found))  # two portsets may share an address
