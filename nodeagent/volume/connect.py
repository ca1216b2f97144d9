"""From a mapping to a proven device, over either link: paths handed to the helper (safety.md, Attach 3)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.configuration.settings import Link
from instorage.wire.fault import Fault
from instorage.wire.growth import RescanRequest
from instorage.wire.verbs import AttachRequest, Multipath
from nodeagent.host import identity
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import fibre_channel, iscsi, queueing

if TYPE_CHECKING:
    from instorage.arrays.model import Host, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.values import Bytes, VolumeUid
    from instorage.wire.verbs import AttachReply, RefusedPath
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.volume.ways import Ways

_LOG = logging.getLogger(__name__)
_WAYS = {Link.ISCSI: iscsi.ways, Link.FC: fibre_channel.ways}
_ENDS = {Link.ISCSI: "paths", Link.FC: "ports"}


@dataclass(frozen=True)
class Attached:
    """The volume's UID, its stable device name, and a remark when something is degraded."""

    uid: VolumeUid
    device: str
    remark: str


def bring_up(
    operation: Operation, array: Array, helper: Helper, volume: Volume, mapping: Mapping, host: Host
) -> Attached:
    """Bring the mapped volume's device up over every path that works."""
    try:
        return _connect(operation, array, helper, volume, mapping, host)
    except Fault:
        array.forget()  # what is remembered of portals or host object may be what was wrong
        raise


def _connect(
    operation: Operation, array: Array, helper: Helper, volume: Volume, mapping: Mapping, host: Host
) -> Attached:
    ways = _WAYS[operation.host.link](operation, array, volume, mapping, host)
    count = len(ways.over_iscsi) + len(ways.over_fc)
    operation.progress.say(f"waiting for the device over {count} {_ENDS[operation.host.link]}")
    began = time.monotonic()
    reply = helper.attach(
        AttachRequest(
            op=operation.op,
            uid=volume.uid,
            size=volume.size,
            paths=ways.over_iscsi,
            multipath=multipath(operation),
            wait_ms=int(identity.patience(operation.host) * 1000),
            fc_paths=ways.over_fc,
        )
    )
    reached(Step.AGENT_ATTACH_UP)
    operation.node.expected.queues(volume.uid, reply.queueing)
    operation.node.expected.note(array.name, volume.uid, ways.whole)
    _refuse_endless(operation, helper, volume, reply)
    _LOG.info("Device %s came up after %.2f s", reply.device, time.monotonic() - began)
    remark = _degraded(ways, reply, array.name)
    if remark:
        _LOG.warning("Volume %s: %s", volume.name, remark)
    return Attached(volume.uid, reply.device, remark)


def _refuse_endless(operation: Operation, helper: Helper, volume: Volume, reply: AttachReply) -> None:
    """Refuse a map that waits for ever; of a volume that is in use already it is only said."""
    try:
        queueing.refuse_endless(volume.name, reply.queueing)
    except Fault as fault:
        if not helper.inspect(volume.uid).mounts:
            raise
        operation.progress.remarks.append(fault.sentence)


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


def _degraded(ways: Ways, reply: AttachReply, array: str) -> str:
    """Say what is less than it should be; one path by design is not one path that is left."""
    refused = [f"{_where(path)} ({path.sentence})" for path in reply.refused]
    remarks = [ways.remark] if ways.remark else []
    if refused:
        remarks.append(f"Attached, but degraded: {len(refused)} paths refused: {', '.join(refused)}")
    if len(reply.found) == 1:
        remarks.append(
            f"One path by design: array {array} has one port for the volume here."
            if len(ways.whole) == 1
            else f"One path is left of {len(ways.whole)}: the others are added as soon as they are there."
        )
    elif not reply.multipath:
        remarks.append(
            f"Attached, but degraded: {len(reply.found)} paths and no multipath map, so that one alone is "
            "used until multipathd makes one (systemctl status multipathd)."
        )
    return " ".join(remarks)
