"""The ways to a volume over iSCSI: the array's portals, those that answer (safety.md 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage import trail
from instorage.wire.fault import Code, Fault
from nodeagent.operation.expected import end_of
from nodeagent.volume import expected_paths
from nodeagent.volume.ways import Ways

if TYPE_CHECKING:
    from collections.abc import Collection

    from instorage.arrays.model import Host, IscsiTarget, Mapping, Volume
    from instorage.arrays.protocol import Array
    from nodeagent.operation.node import Operation


def ways(operation: Operation, array: Array, volume: Volume, mapping: Mapping, host: Host) -> Ways:
    """Return a path for each portal that can be used now; PORTAL_UNREACHABLE when there is none."""
    operation.progress.say("looking for the array's portals")
    # What is remembered may be from while a site was down: each group is to have one.
    portals = array.iscsi_targets(dict(mapping.luns))
    targets = expected_paths.open_to(mapping, portals, host.portset)
    if not targets:
        raise _none(array, volume, mapping, host, portals)
    with trail.timed(trail.Kind.PROBE, f"{len(targets)} portals of array {array.name}"):
        report = operation.node.portals.report(target.portal for target in targets)
    up = [target for target in targets if target.portal in report.up]
    first = expected_paths.used(operation.node, {volume.uid})[volume.uid]
    wanted = expected_paths.paths(mapping, expected_paths.chosen(up, first))
    # What stands in for a portal that is out is the volume's from now on: no 17th is added for that one.
    whole = expected_paths.over_iscsi(mapping, portals, host.portset, first | set(map(end_of, wanted)))
    return Ways(over_iscsi=wanted, remark=report.remark, whole=whole)


def _none(
    array: Array, volume: Volume, mapping: Mapping, host: Host, portals: Collection[IscsiTarget]
) -> Fault:
    """Say why there is no portal for the volume among those that the array shows."""
    if any(one.open_to(host.portset) for one in portals):
        groups = " and ".join(dict(mapping.luns))
        text = (
            f"Volume {volume.name} is in I/O group {groups} of array {array.name}, whose nodes "
            "have no iSCSI portal: configure one there, or make a new claim of a class whose volIOGrp names "
            "another I/O group."
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
    return Fault(Code.PORTAL_UNREACHABLE, text, volume=volume.name, array=array.name)
