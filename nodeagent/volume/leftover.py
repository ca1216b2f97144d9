"""What this host still has of a volume that is not mapped to it (architecture.md 6, «Before mapping»)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from instorage.wire.verbs import DetachRequest
from nodeagent.operation import targets
from nodeagent.operation.steps import Step, reached
from nodeagent.volume.takedown import WAIT_MS, say_lost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.model import Host, Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid
    from instorage.wire.verbs import InspectReply, MountState
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation

PAUSE_SECONDS = (
    1.0  # one empty answer may be an array's hiccup, and a running pod must not lose its mount to it
)


def anything(here: InspectReply) -> bool:
    """Say whether the kernel has a path, a map or a mount of the volume."""
    return bool(here.paths or here.mounts or here.device)


def mapped_to(array: Array, mappings: Iterable[Mapping], host: Host) -> Mapping | None:
    """Return the mapping to `host`; since it was read it may have been renamed, or its number given again."""
    for mapping in mappings:
        if mapping.host_id == host.id:
            now = host if mapping.host == host.name else array.find_host(mapping.host)
            return mapping if now is not None and now.port_names & host.port_names else None
    return None


def confirm_unmapped(array: Array, volume: Volume, host: Host) -> Mapping | None:
    """Ask the array a second time, by another query after a pause; None: it says again «not mapped here»."""
    time.sleep(PAUSE_SECONDS)  # the pause is the point: the two answers must not share one moment
    return next((found for found in array.host_mappings(host.name) if found.volume == volume.name), None)


def remove(
    operation: Operation, helper: Helper, uid: VolumeUid, name: VolumeName, mounts: Iterable[MountState]
) -> None:
    """Unmount `mounts` and remove the device of a volume that is not mapped here.

    The array's word alone takes nothing from a pod: the helper refuses unless every path says the same, and
    while anybody but kubelet has a mount of the volume.
    """
    pods_first = sorted(mounts, key=lambda mount: targets.is_device_mount(mount.target))
    for mount in pods_first:
        reply = helper.unmount(mount.target, unmapped=True)
        reached(Step.AGENT_LEFTOVER_UNMOUNTED)
        say_lost(operation, name, lost=reply.lost)
    helper.detach(DetachRequest(helper.op, uid, WAIT_MS))
    reached(Step.AGENT_LEFTOVER_REMOVED)
