"""mount and unmount: the pod's directory is a bind mount of the device mount.

With attach:false (the file `.attach` beside the stub) these are kubelet's only calls: the first mount
attaches and mounts the device, the last unmount takes it down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import BindRequest
from nodeagent.calls.mountdevice import mount_device
from nodeagent.calls.unmountdevice import unmount_device
from nodeagent.calls.waitforattach import attach
from nodeagent.operation import targets
from nodeagent.operation.steps import Step, reached
from nodeagent.operation.targets import DeviceTarget
from nodeagent.volume import place, takedown, tenancy

if TYPE_CHECKING:
    from instorage.wire.values import VolumeUid
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation
    from nodeagent.operation.targets import PodTarget
    from nodeagent.volume.connect import Attached


def mount_pod(operation: Operation, target: PodTarget, options: Options) -> str:
    """Bind the device mount to the pod's directory; return a remark, often empty.

    A pod of another namespace than the volume's is refused; so is read-write over a read-only device mount,
    and a volume whose place another of its name has.
    """
    attach_calls = operation.node.paths.attach
    grants = tenancy.admit(operation, options, pod=True)
    with operation.helper() as helper:
        remark = ""
        if attach_calls:
            uid = place.meant(operation, options, grants)
            place.require_free(operation, helper, options, uid)
        else:
            attached = _attach_whole(operation, helper, target, options)
            uid, remark = attached.uid, attached.remark
        _refuse_writer(operation, helper, options, uid)
        request = BindRequest(operation.op, uid, target.device_mount, target.path, options.read_only)
        _bind(operation, helper, target, request)
    return remark


def _bind(operation: Operation, helper: Helper, target: PodTarget, request: BindRequest) -> None:
    """Bind for a caller who is there, else nothing stays bound that was not before; TIMEOUT.

    kubelet was told that this mount failed. While the pod is there it asks again, and what it finds mounted
    then it takes for done without asking us; of a pod that was deleted it would never end the bind.
    """
    if operation.progress.abandoned():
        raise _late(target)
    operation.progress.say("binding the mount into the pod")
    already = helper.bind(request).already
    reached(Step.AGENT_MOUNT_BOUND)
    if not already and operation.progress.abandoned():
        _take_back(operation, helper, target)


def _take_back(operation: Operation, helper: Helper, target: PodTarget) -> None:
    try:
        reply = helper.unmount(target.path)
    except Fault as fault:
        stays = f"{target.path} stays bound: a pod may have it by now. If that is gone, unmount it by hand."
        raise _late(target, f"{stays} {fault.sentence}") from None
    reached(Step.AGENT_MOUNT_UNBOUND)
    takedown.say_lost(operation, target.name, lost=reply.lost)
    raise _late(target)


def _late(target: PodTarget, more: str = "") -> Fault:
    text = f"Too late to bind volume {target.name} for its pod: the caller has left. {more}".rstrip()
    return Fault(Code.TIMEOUT, text, volume=target.name, target=target.path)


def unmount_pod(operation: Operation, target: PodTarget) -> None:
    """Sync and unmount the pod's directory; success when nothing of ours is mounted there."""
    attach_calls = operation.node.paths.attach  # before the unmount: what is refused here kubelet asks again
    operation.progress.say("unmounting")
    with operation.helper() as helper:
        reply = helper.unmount(target.path)
        reached(Step.AGENT_UNMOUNT_UNMOUNTED)
        takedown.say_lost(operation, target.name, lost=reply.lost)
        if attach_calls or _used(operation, helper, target):
            return
    unmount_device(operation, DeviceTarget.parse(target.device_mount))


def _attach_whole(operation: Operation, helper: Helper, target: PodTarget, options: Options) -> Attached:
    """Do what kubelet's waitforattach and mountdevice would have asked for."""
    attached = attach(operation, options)
    if all(mount.target != target.device_mount for mount in helper.inspect(attached.uid).mounts):
        mount_device(operation, DeviceTarget.parse(target.device_mount), options)
    return attached


def _used(operation: Operation, helper: Helper, target: PodTarget) -> bool:
    """Say whether a pod still has the volume; when no record says so, the kernel is asked for everything.

    A record may be lost: the device mount must not go from under another pod for that.
    """
    records = operation.node.records.by_name(target.name)
    if any(targets.pod_of(one.target) for record in records for one in helper.inspect(record.uid).mounts):
        return True
    everything = (mount.target for here in helper.inspect_all() for mount in here.mounts)
    return any(targets.device_mount_of(path) == target.device_mount for path in everything)


def _refuse_writer(operation: Operation, helper: Helper, options: Options, uid: VolumeUid) -> None:
    record = operation.node.records.get(uid)
    read_only = record is not None and record.read_only and record.target is not None
    mounts = helper.inspect(uid).mounts if read_only and not options.read_only else ()
    if not any(targets.is_device_mount(mount.target) for mount in mounts):
        return
    pods = ", ".join(pod for mount in mounts if (pod := targets.pod_of(mount.target))) or "another pod"
    raise Fault(
        Code.NOT_ALLOWED,
        f"Volume {options.name} is mounted read-only on this node for pod {pods}: a read-write use has to "
        "wait until that is gone.",
        volume=options.name,
        pods=pods,
    )
