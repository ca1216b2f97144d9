"""mountdevice: mount the volume on kubelet's global directory, formatting it when it is proven new."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.values import MountOption
from instorage.wire.verbs import MountRequest
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import leftover, place, recorded, tenancy
from nodeagent.volume.connect import multipath
from nodeagent.volume.host_object import own_host
from nodeagent.volume.usable import elsewhere, usable

if TYPE_CHECKING:
    from instorage.arrays.model import Usage, Volume
    from instorage.arrays.protocol import Array
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation
    from nodeagent.operation.targets import DeviceTarget
    from nodeagent.volume.tenancy import Grants

FRESH_BYTES = 64 << 20  # a thin copy with at most this, or 1 % of its size, may be new (safety.md 6)
_LOG = logging.getLogger(__name__)


def mount_device(operation: Operation, target: DeviceTarget, options: Options) -> None:
    """Mount the attached volume on `target`; the helper verifies the device again by UID and size."""
    grants = tenancy.admit(operation, options)
    array = operation.array(options.storage)
    with operation.helper() as helper:
        volume = _attached(operation, array, helper, options, grants)
        tenancy.confirm(grants, options, array.name, volume.uid)
        place.require_free(operation, helper, options, volume.uid)
        may_format = not options.read_only and _may_be_new(operation, array, helper, volume)
        _note(operation, target, options, volume)
        reached(Step.AGENT_MOUNT_RECORDED)
        operation.progress.say("checking and mounting the file system")
        reply = helper.mount(
            MountRequest(
                op=operation.op,
                uid=volume.uid,
                size=volume.size,
                target=target.path,
                fs_type=options.fs_type,
                read_only=options.read_only,
                may_format=may_format,
                multipath=multipath(operation),
                options=_mount_options(operation),
                shared=options.many_readers,
                copied=volume.copy_relations > 0,
            )
        )
    reached(Step.AGENT_MOUNT_MOUNTED)
    done = "formatted and mounted" if reply.formatted else "found mounted" if reply.already else "mounted"
    _LOG.info("Volume %s is %s (%s on %s)", volume.name, done, reply.fs_type, reply.device)
    if reply.paths > 1 and not reply.multipath:
        text = f"Volume {volume.name} is mounted over one of its {reply.paths} paths, for multipathd made no "
        text += "map of them: when that path goes the pod has no other. See systemctl status multipathd."
        _LOG.warning(text)
        operation.progress.remarks.append(text)


def _mount_options(operation: Operation) -> tuple[MountOption, ...]:
    label = operation.host.mount_context
    return (MountOption(f"context={label}"),) if label else ()


def _attached(
    operation: Operation, array: Array, helper: Helper, options: Options, grants: Grants | None
) -> Volume:
    """Return the volume if the array maps it to this host (alone, but for many readers)."""
    record = next((r for r in operation.node.records.by_name(options.name) if r.storage == array.name), None)
    fresh = operation.node.attachments.take(record.uid) if record else None
    if fresh is not None:
        return fresh
    operation.progress.say(f"asking array {array.name} where the volume is mapped")
    volume = usable(operation, array, options, grants)
    mappings = array.mappings(volume.name)
    if record and record.uid == volume.uid:
        host, mine = record.host, recorded.mapping_of(array, helper, record, mappings)
    else:
        own = own_host(operation, array, helper, volume)
        host, mine = own.name, leftover.mapped_to(array, mappings, own)
    if mine is None:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {volume.name} is not mapped to host {host} of this node: kubelet attaches it anew.",
            volume=volume.name,
            host=host,
        )
    others = [mapping.host for mapping in mappings if mapping is not mine]
    if others and not options.many_readers:
        raise elsewhere(volume, others)
    return volume


def _may_be_new(operation: Operation, array: Array, helper: Helper, volume: Volume) -> bool:
    """Give the array's word on whether the volume may be formatted; it was mapped to this host alone.

    What a format that was broken off here has written does not speak against its repetition.
    """
    if volume.copy_relations:
        return False
    operation.progress.say(f"asking array {array.name} what the volume holds")
    usage = array.volume_usage(volume.name)
    if fresh_by_usage(usage, volume.size):
        return True
    return helper.inspect(volume.uid).formatting and fresh_by_usage(usage, volume.size, formats=1)


def fresh_by_usage(usage: Usage, size: int, formats: int = 0) -> bool:
    """Say whether the used capacity (bytes) of a volume of `size` bytes speaks for a new one.

    `formats` have been begun: mkfs.xfs writes its log, of 64 MiB or, in a large volume, under 1 %.
    """
    limit = max(size // 100, FRESH_BYTES) * (1 + formats)
    return usage.used <= limit if usage.used is not None else not usage.thin


def _note(operation: Operation, target: DeviceTarget, options: Options, volume: Volume) -> None:
    record = operation.node.records.get(volume.uid)
    if record is None:
        raise Fault(
            Code.NOT_OURS,
            f"Volume {volume.name} was not attached by this agent: kubelet does that first (waitforattach).",
            volume=volume.name,
        )
    operation.node.records.put(
        dataclasses.replace(
            record, target=target.path, read_only=options.read_only, boot_id=operation.node.boot_id
        )
    )
