"""The ways to a volume over iSCSI: the array's portals, those that answer (safety.md 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage import trail
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import IscsiPath
from nodeagent.volume.expected_paths import over_iscsi
from nodeagent.volume.ways import Ways, spread

if TYPE_CHECKING:
    from instorage.arrays.model import Host, IscsiTarget, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.values import Lun
    from nodeagent.operation.node import Operation


def ways(operation: Operation, array: Array, volume: Volume, mapping: Mapping, host: Host) -> Ways:
    """Return a path for each portal that can be used now; PORTAL_UNREACHABLE when there is none."""
    luns = dict(mapping.luns)
    operation.progress.say("looking for the array's portals")
    targets = _targets(array, volume, luns, host)
    with trail.timed(trail.Kind.PROBE, f"{len(targets)} portals of array {array.name}"):
        report = operation.node.portals.report(target.portal for target in targets)
    up = [target for target in targets if target.portal in report.up]
    chosen = spread(up, lambda target: (target.iqn.lower(), ()))
    wanted = [IscsiPath(target.portal, target.iqn, luns[target.io_group]) for target in chosen]
    whole = over_iscsi(mapping, targets, host.portset)
    return Ways(over_iscsi=tuple(dict.fromkeys(wanted)), remark=report.remark, whole=whole)


def _targets(array: Array, volume: Volume, luns: dict[str, Lun], host: Host) -> list[IscsiTarget]:
    """Return the portals of the volume's I/O groups; a volume is seen behind no other, nor by another's.

    What is remembered may be from while a site was down: each group is to have one. Two portsets may share
    an address: it is one portal.
    """
    portals = array.iscsi_targets(luns)
    open_here = [target for target in portals if target.open_to(host.portset)]
    targets = {(one.portal, one.iqn, one.io_group): one for one in open_here if one.io_group in luns}
    if targets:
        return list(targets.values())
    if open_here:
        text = (
            f"Volume {volume.name} is in I/O group {' and '.join(luns)} of array {array.name}, whose nodes "
            "have no iSCSI portal: configure one there, or have the volume in another I/O group or pool."
        )
    elif portals:
        text = (
            f"Host object {host.name} of array {array.name} may use the addresses of portset {host.portset} "
            "alone, and there is none of it with a link on a node that is online: see lsip, and add one or "
            "give the object another portset there (chhost -portset)."
        )
    else:
        text = (
            f"Array {array.name} shows no iSCSI portal with a link on a node that is online, neither by "
            "lsportip nor by lsip: configure one, or see lsnode and the cables there."
        )
    raise Fault(Code.PORTAL_UNREACHABLE, text, volume=volume.name, array=array.name)
