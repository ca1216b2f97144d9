"""From a mapping to a proven device: portals probed, paths handed to the helper (safety.md, Attach 3)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.growth import RescanRequest
from instorage.wire.verbs import AttachRequest, IscsiPath, Multipath
from nodeagent.host import identity
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import queueing, ways

if TYPE_CHECKING:
    from instorage.arrays.model import Host, IscsiTarget, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.values import Bytes, Lun, VolumeUid
    from instorage.wire.verbs import AttachReply, FcPath, RefusedPath
    from nodeagent.host.helper_client import Helper
    from nodeagent.host.portals import Report
    from nodeagent.operation.node import Operation

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attached:
    """The volume's UID, its stable device name, and a remark when something is degraded."""

    uid: VolumeUid
    device: str
    remark: str


def bring_up(
    operation: Operation, array: Array, helper: Helper, volume: Volume, mapping: Mapping, host: Host
) -> Attached:
    """Bring the mapped volume's device up over every portal that answers."""
    try:
        return _connect(operation, array, helper, volume, mapping, host)
    except Fault:
        array.forget()  # what is remembered of portals or host object may be what was wrong
        raise


def _connect(
    operation: Operation, array: Array, helper: Helper, volume: Volume, mapping: Mapping, host: Host
) -> Attached:
    luns = dict(mapping.luns)
    operation.progress.say("looking for the array's portals")
    targets = _targets(array, volume, luns, host)
    report = operation.node.portals.report(target.portal for target in targets)
    up = [target for target in targets if target.portal in report.up]
    wanted = [IscsiPath(target.portal, target.iqn, luns[target.io_group]) for target in up]
    paths = tuple(dict.fromkeys(wanted))  # two portsets may share an address
    operation.progress.say(f"waiting for the device over {len(paths)} paths")
    began = time.monotonic()
    reply = helper.attach(
        AttachRequest(
            op=operation.op,
            uid=volume.uid,
            size=volume.size,
            paths=paths,
            multipath=multipath(operation),
            wait_ms=int(identity.patience(operation.host) * 1000),
        )
    )
    reached(Step.AGENT_ATTACH_UP)
    _note(operation, array, volume, reply, ways.of_mapping(mapping, targets, host.portset))
    _refuse_endless(operation, helper, volume, reply)
    _LOG.info("Device %s came up after %.2f s", reply.device, time.monotonic() - began)
    remark = _degraded(report, reply, array.name)
    if remark:
        _LOG.warning("Volume %s: %s", volume.name, remark)
    return Attached(volume.uid, reply.device, remark)


def _refuse_endless(operation: Operation, helper: Helper, volume: Volume, reply: AttachReply) -> None:
    """Refuse a map that waits for ever; of a volume that is in use already it is only said."""
    if not queueing.for_ever(reply.queueing):
        return
    try:
        queueing.refuse_endless(volume.name, reply.queueing)
    except Fault as fault:
        if not helper.inspect(volume.uid).mounts:
            raise
        operation.progress.remarks.append(fault.sentence)


def _note(
    operation: Operation,
    array: Array,
    volume: Volume,
    reply: AttachReply,
    paths: tuple[IscsiPath | FcPath, ...],
) -> None:
    """Have the paths looked after that are not there, or that will be lost."""
    expected = operation.node.expected
    expected.queues(volume.uid, reply.queueing)
    expected.note(array.name, volume.uid, paths)


def _targets(array: Array, volume: Volume, luns: dict[str, Lun], host: Host) -> list[IscsiTarget]:
    """Return the portals of the volume's I/O groups; a volume is seen behind no other, nor by another's.

    What is remembered may be from while a site was down: each group is to have one.
    """
    portals = array.iscsi_targets(luns)
    open_here = [target for target in portals if target.open_to(host.portset)]
    targets = [target for target in open_here if target.io_group in luns]
    if targets:
        return targets
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


def multipath(operation: Operation) -> Multipath:
    """Return what the configuration demands."""
    return Multipath.REQUIRED if operation.host.force_multipath else Multipath.PREFERRED


def rescan_request(operation: Operation, uid: VolumeUid, size: Bytes) -> RescanRequest:
    """Return the request to have every path and the map take a size (bytes), with the node's patience."""
    patience = identity.patience(operation.host) + operation.host.resize_delay
    return RescanRequest(operation.op, uid, size, int(patience * 1000))


def _where(refused: RefusedPath) -> str:
    if refused.path is not None:
        return str(refused.path.portal)
    return f"port {refused.fc_path.target}" if refused.fc_path is not None else "a path"


def _degraded(report: Report, reply: AttachReply, array: str) -> str:
    """Say what is less than it should be; one path by design is not one path that is left."""
    whole = len(report.up) + len(report.out)
    refused = [f"{_where(path)} ({path.sentence})" for path in reply.refused]
    remarks = [report.remark] if report.remark else []
    if refused:
        remarks.append(f"Attached, but degraded: {len(refused)} paths refused: {', '.join(refused)}")
    if len(reply.found) == 1:
        remarks.append(
            f"One path by design: array {array} has one portal for the volume."
            if whole == 1
            else f"One path is left of {whole}: the others are added as soon as they are there."
        )
    elif not reply.multipath:
        remarks.append(
            f"Attached, but degraded: {len(reply.found)} paths and no multipath map, so that one alone is "
            "used until multipathd makes one (systemctl status multipathd)."
        )
    return " ".join(remarks)
