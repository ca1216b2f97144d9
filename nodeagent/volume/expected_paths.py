"""The paths that an array gives this host to a mapped volume, whatever works of them just now.

Which portals of more than 16 are a volume's is decided here and nowhere else: those over which it is used
already stay, so that attach, comparison and healing mean the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.verbs import FcPath, IscsiPath
from nodeagent.host import volume_paths
from nodeagent.host.fc_ports import adapters, remote_ports
from nodeagent.host.volume_paths import End
from nodeagent.operation.expected import Nexus, end_of
from nodeagent.volume.ways import MOST, spread

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from instorage.arrays.model import FcTarget, IscsiTarget, Mapping
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.node import Node


def used(node: Node, uids: Collection[VolumeUid]) -> dict[VolumeUid, frozenset[End]]:
    """Return where the paths of these volumes lead: those in their maps, and those that are expected."""
    maps = volume_paths.maps(node.paths.sysfs, uids)
    inside = {uid: {path.end for path in maps[uid].paths} if uid in maps else set() for uid in uids}
    return {uid: frozenset(inside[uid] | set(map(end_of, node.expected.of(uid) or ()))) for uid in uids}


def absent(node: Node, uid: VolumeUid) -> set[End]:
    """Return where a path is expected and no disk of a volume's map leads; nothing for one without a map.

    Nor is anything absent that the array was not asked for yet, since this agent started.
    """
    found = volume_paths.maps(node.paths.sysfs, {uid}).get(uid)
    wanted = map(end_of, node.expected.of(uid) or ())
    return set(wanted) - {path.end for path in found.paths} if found else set()


def open_to(mapping: Mapping, targets: Iterable[IscsiTarget], portset: str) -> list[IscsiTarget]:
    """Return the portals of the volume's I/O groups; it is seen behind no other, nor by another's.

    `portset` is its host object's. Two portsets may share an address: it is one portal.
    """
    luns = dict(mapping.luns)
    meant = (one for one in targets if one.open_to(portset) and one.io_group in luns)
    return list({(one.portal, one.iqn, one.io_group): one for one in meant}.values())


def chosen(targets: Iterable[IscsiTarget], first: Collection[End], most: int = MOST) -> list[IscsiTarget]:
    """Return at most `most` of these portals, evenly from the array's nodes; those of `first` before all."""
    return spread(
        targets, lambda target: (target.iqn.lower(), ()), most, lambda target: _end(target) in first
    )


def paths(mapping: Mapping, targets: Iterable[IscsiTarget]) -> tuple[IscsiPath, ...]:
    """Return the paths to the volume over these portals."""
    luns = dict(mapping.luns)
    return tuple(dict.fromkeys(IscsiPath(one.portal, one.iqn, luns[one.io_group]) for one in targets))


def over_iscsi(
    mapping: Mapping, targets: Collection[IscsiTarget], portset: str, first: Collection[End]
) -> tuple[IscsiPath, ...]:
    """Return a path for each portal that the volume has here, 16 of them where the array has more.

    `targets` are all of the array's that it shows; `first`: where paths of the volume lead. They stay, and
    one that the array does not show just now keeps its place: its cable may be out.
    """
    meant = open_to(mapping, targets, portset)
    away = set(first) - {_end(one) for one in targets}
    taken = chosen(meant, first, MOST - len(away))
    return paths(mapping, (one for one in meant if _end(one) in first or one in taken))


def over_fc(mapping: Mapping, targets: Iterable[FcTarget], sysfs: Path) -> tuple[Nexus, ...]:
    """Return a path for each port of the volume's I/O groups and each adapter to which zoning gives it.

    Those whose login array or kernel knows: while all cables are out an array names all ports that it has.
    """
    luns, ours = dict(mapping.luns), [adapter.name for adapter in adapters(sysfs)]
    seen = {(port.target, port.initiator) for port in remote_ports(sysfs)}
    return tuple(
        dict.fromkeys(
            Nexus(FcPath(one.wwpn, luns[one.io_group]), initiator)
            for one in targets
            for initiator in ours
            if one.io_group in luns and (initiator in one.initiators or (one.wwpn, initiator) in seen)
        )
    )


def _end(target: IscsiTarget) -> End:
    return End(target.iqn.lower(), str(target.portal))
