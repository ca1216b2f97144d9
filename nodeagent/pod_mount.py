"""mount and unmount: the pod's directory is a bind mount of the device mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import BindRequest
from nodeagent import targets

if TYPE_CHECKING:
    from nodeagent.flexvolume import Options
    from nodeagent.helper_client import Helper
    from nodeagent.node import Operation
    from nodeagent.targets import PodTarget


def mount_pod(operation: Operation, target: PodTarget, options: Options) -> None:
    """Bind the device mount to the pod's directory; read-write over a read-only device mount is refused."""
    with operation.helper() as helper:
        _refuse_writer(operation, helper, options)
        operation.progress.say("binding the mount into the pod")
        helper.bind(BindRequest(operation.op, target.device_mount, target.path, options.read_only))


def _refuse_writer(operation: Operation, helper: Helper, options: Options) -> None:
    read_only = [r for r in operation.node.records.by_name(options.name) if r.read_only]
    if options.read_only or not read_only:
        return
    mounts = helper.inspect(read_only[0].uid).mounts
    pods = ", ".join(pod for mount in mounts if (pod := targets.pod_of(mount.target))) or "another pod"
    raise Fault(
        Code.NOT_ALLOWED,
        f"Volume {options.name} is mounted read-only on this node for pod {pods}: a read-write use has to "
        "wait until that is gone.",
        volume=options.name,
        pods=pods,
    )


def unmount_pod(operation: Operation, target: PodTarget) -> None:
    """Sync and unmount the pod's directory; success when nothing of ours is mounted there."""
    operation.progress.say("unmounting")
    with operation.helper() as helper:
        helper.unmount(target.path)
