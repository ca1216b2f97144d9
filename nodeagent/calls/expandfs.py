"""expandfs: the volume grown on the array, then the device, then the file system (safety.md, Growing).

kubelet repeats it until it succeeds, so what is done already is success at each step; only the node that has
the volume mounted grows it, and the array's size is read before anything is added.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from instorage.arrays.expansion import require_whole
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import earlier, growth
from nodeagent.operation import targets
from nodeagent.operation.steps import Step, reached
from nodeagent.operation.targets import DeviceTarget
from nodeagent.volume import adoption, expected_paths, recorded, tenancy
from nodeagent.volume.connect import rescan_request
from nodeagent.volume.growing import RecordedGrowth
from nodeagent.volume.usable import elsewhere, require_both_sites, usable

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.wire.values import Bytes
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import ExpandFs, Options
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

RESCAN_SECONDS = 90.0
_LOG = logging.getLogger(__name__)


def expand(operation: Operation, request: ExpandFs) -> int:
    """Make volume and file system at least the wanted size; return the volume's real size in bytes."""
    options = request.options
    _refuse_reader(options)
    grants = tenancy.admit(operation, options)
    array = operation.array(options.storage)
    with operation.helper() as helper:
        operation.progress.say(f"asking array {array.name} for the volume")
        with earlier.explained(operation, helper, array.name, options.name):
            volume = usable(operation, array, options, grants)
            tenancy.confirm(grants, options, array.name, volume.uid)
            record = _ours(operation, helper, volume, request)
        _require_mounted(helper, volume, request.target.path)
        if volume.size < request.size:
            _require_alone(array, helper, record, volume)
        if volume.level is Level.ACTIVE_ACTIVE:
            if volume.size < request.size:
                require_both_sites(volume, array.name)
            with growth.alone(operation, helper, array, volume):
                if volume.size < request.size:
                    require_paths(operation, helper, volume)
                    record = recorded.followed(array, helper, record, volume.name)
                size = growth.expand(operation, helper, array, record, request)
                helper.assure_lock(RESCAN_SECONDS)
                return _finish(operation, helper, record, request.target.path, size)
        if volume.size < request.size:
            require_paths(operation, helper, volume)
            operation.progress.say(f"growing the volume on array {array.name}")
            log = RecordedGrowth(operation.node.records, record)
            volume = array.grow_volume(volume.name, request.size, log)
            reached(Step.AGENT_EXPAND_GROWN)
        return _finish(operation, helper, record, request.target.path, volume.size)


def require_paths(operation: Operation, helper: Helper, volume: Volume) -> None:
    """Have the helper prove that every path is up and has the size of now, before anything changes.

    It knows those that are here. NO_PATH as well for one that is absent: the map must have grown before it
    comes back, and until then it would be refused. The helper first: the map may be behind the array's size.
    """
    operation.progress.say("looking at every path")
    helper.rescan(rescan_request(operation, volume.uid, volume.size))
    absent = expected_paths.absent(operation.node, volume.uid)
    if absent:
        operation.node.expected.look(volume.uid)
        named = ", ".join(sorted(map(str, absent)))
        raise Fault(
            Code.NO_PATH,
            f"Not all paths of volume {volume.name} are up: none leads over {named}. Nothing was changed. "
            "A path is added by itself as soon as it can be reached, and the volume grows then: see "
            f"instoragectl doctor --volume {volume.name} for what is in the way.",
            volume=volume.name,
        )


def _finish(operation: Operation, helper: Helper, record: Record, target: str, size: Bytes) -> int:
    """Bring device, file system and ownership record up to the array's size."""
    operation.progress.say("resizing the device")
    helper.rescan(rescan_request(operation, record.uid, size))
    reached(Step.AGENT_EXPAND_RESCANNED)
    operation.progress.say("growing the file system")
    grown = helper.grow_filesystem(record.uid, target)
    reached(Step.AGENT_EXPAND_FILESYSTEM)
    now = operation.node.records.get(record.uid) or record
    operation.node.records.put(dataclasses.replace(now, size=size, growth=None))
    reached(Step.AGENT_EXPAND_RECORDED)
    _LOG.info("Volume %s has %d bytes, its %s %d", record.name, size, grown.fs_type, grown.size)
    return size


def _refuse_reader(options: Options) -> None:
    if options.read_only or options.many_readers:
        kind = "has «readers: many»" if options.many_readers else "is used read-only"
        raise Fault(
            Code.NOT_ALLOWED,
            f"Volume {options.name} {kind} and is not grown: it grows at its next read-write use.",
            volume=options.name,
        )


def _ours(operation: Operation, helper: Helper, volume: Volume, request: ExpandFs) -> Record:
    record = operation.node.records.get(volume.uid) or _taken_over(operation, helper, volume, request)
    if record is None:
        raise Fault(
            Code.NOT_OURS,
            f"Volume {volume.name} (UID {volume.uid}) was not attached by this agent: it grows on the node "
            "that has it mounted.",
            volume=volume.name,
        )
    require_whole(volume, record.kind, record.storage)
    return record


def _taken_over(operation: Operation, helper: Helper, volume: Volume, request: ExpandFs) -> Record | None:
    """Make the record of a volume that the vendor's plugin attached: it grows while its pod goes on.

    None unless kubelet has this very volume mounted under its name, as a device or for a pod.
    """
    target, here = request.target, helper.inspect(volume.uid)
    device = target if isinstance(target, DeviceTarget) else DeviceTarget.parse(target.device_mount)
    if targets.of_mounts(mount.target for mount in here.mounts) != device:
        return None
    return adoption.adopt(operation, here, device)


def _require_alone(array: Array, helper: Helper, record: Record, volume: Volume) -> None:
    """Raise when another host has the volume, as the vendor's program allows: it would not see the growth."""
    mappings = array.mappings(volume.name)
    mine = recorded.mapping_of(array, helper, record, mappings)
    others = [mapping.host for mapping in mappings if mapping is not mine]
    if others:
        raise elsewhere(volume, others)


def _require_mounted(helper: Helper, volume: Volume, target: str) -> None:
    found = next((mount for mount in helper.inspect(volume.uid).mounts if mount.target == target), None)
    if found is None:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {volume.name} is not mounted on {target}: it grows only where it is mounted.",
            volume=volume.name,
            target=target,
        )
    if found.trouble:
        raise Fault(
            Code.FILE_SYSTEM,
            f"Volume {volume.name} on {target} {found.trouble}, so the kernel would not grow it: end the "
            "pods that use it, so that its file system is checked, then it grows. Nothing was changed.",
            volume=volume.name,
            target=target,
        )
    if found.read_only:
        raise Fault(
            Code.FILE_SYSTEM,
            f"Volume {volume.name} is mounted read-only on {target}, by the kernel after an error if its pod "
            "asked for read-write: end the pod, so that the file system is checked before it grows.",
            volume=volume.name,
            target=target,
        )
