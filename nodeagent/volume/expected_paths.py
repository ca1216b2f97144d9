"""The paths that an array gives this host to a mapped volume, whatever works of them just now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.verbs import FcPath, IscsiPath
from nodeagent.volume.ways import spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.model import FcTarget, IscsiTarget, Mapping
    from nodeagent.operation.expected import SanPath


def over_iscsi(mapping: Mapping, targets: Iterable[IscsiTarget], portset: str) -> tuple[SanPath, ...]:
    """Return a path for each portal of the volume's I/O groups; `portset` is its host object's."""
    luns = dict(mapping.luns)
    here = {(one.portal, one.iqn, one.io_group): one for one in targets if one.open_to(portset)}
    meant = [one for one in here.values() if one.io_group in luns]
    chosen = spread(meant, lambda target: (target.iqn.lower(), ()))
    return tuple(dict.fromkeys(IscsiPath(one.portal, one.iqn, luns[one.io_group]) for one in chosen))


def over_fc(mapping: Mapping, targets: Iterable[FcTarget]) -> tuple[SanPath, ...]:
    """Return a path for each port of the volume's I/O groups."""
    luns = dict(mapping.luns)
    found = [FcPath(target.wwpn, luns[target.io_group]) for target in targets if target.io_group in luns]
    return tuple(dict.fromkeys(found))
