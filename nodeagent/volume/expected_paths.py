"""The paths that an array gives this host to a mapped volume, whatever works of them just now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.verbs import FcPath, IscsiPath
from nodeagent.host.fc_ports import remote_ports
from nodeagent.volume.ways import spread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from instorage.arrays.model import FcTarget, IscsiTarget, Mapping
    from nodeagent.operation.expected import SanPath


def over_iscsi(mapping: Mapping, targets: Iterable[IscsiTarget], portset: str) -> tuple[SanPath, ...]:
    """Return a path for each portal of the volume's I/O groups; `portset` is its host object's."""
    luns = dict(mapping.luns)
    here = {(one.portal, one.iqn, one.io_group): one for one in targets if one.open_to(portset)}
    meant = [one for one in here.values() if one.io_group in luns]
    chosen = spread(meant, lambda target: (target.iqn.lower(), ()))
    return tuple(dict.fromkeys(IscsiPath(one.portal, one.iqn, luns[one.io_group]) for one in chosen))


def over_fc(mapping: Mapping, targets: Iterable[FcTarget], sysfs: Path) -> tuple[SanPath, ...]:
    """Return a path for each port of the volume's I/O groups that zoning gives this host.

    One that array or kernel knows a login of: while all cables are out an array names all that it has.
    """
    luns, seen = dict(mapping.luns), {port.target for port in remote_ports(sysfs)}
    here = (target for target in targets if target.initiators or target.wwpn in seen)
    return tuple(dict.fromkeys(FcPath(one.wwpn, luns[one.io_group]) for one in here if one.io_group in luns))
