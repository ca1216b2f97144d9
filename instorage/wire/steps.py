"""Every step of attach, format, mount, unmount and detach after which a process may be gone.

Each is named once, directly after what it names was done. The crash tests' build puts another `reached` in
the place of this one (`tests/lab/crash/build.py`); the product has no way to be stopped.
"""

from enum import StrEnum


class Step(StrEnum):
    """«process.operation.what is done»."""

    AGENT_ATTACH_HOST = "agent.attach.host-known"
    AGENT_ATTACH_RECORDED = "agent.attach.recorded"
    AGENT_ATTACH_MAPPED = "agent.attach.mapped"
    AGENT_ATTACH_WITHDRAWN = "agent.attach.record-withdrawn"
    AGENT_ATTACH_UP = "agent.attach.device-up"
    AGENT_ATTACH_TAKEN_BACK = "agent.attach.taken-back"
    AGENT_LEFTOVER_UNMOUNTED = "agent.leftover.unmounted"
    AGENT_LEFTOVER_REMOVED = "agent.leftover.removed"
    AGENT_MOUNT_RECORDED = "agent.mount.recorded"
    AGENT_MOUNT_MOUNTED = "agent.mount.mounted"
    AGENT_MOUNT_BOUND = "agent.mount.bound"
    AGENT_UNMOUNT_UNMOUNTED = "agent.unmount.unmounted"
    AGENT_DETACH_UNMOUNTED = "agent.detach.unmounted"
    AGENT_DETACH_REMOVED = "agent.detach.device-removed"
    AGENT_DETACH_UNMAPPED = "agent.detach.unmapped"
    AGENT_DETACH_FORGOTTEN = "agent.detach.record-removed"
    AGENT_DETACH_FENCED = "agent.detach.fenced"
    AGENT_ADOPT_RECORDED = "agent.adopt.recorded"
    AGENT_SETTLE_UNMOUNTED = "agent.settle.unmounted"
    HELPER_ATTACH_LOGGED_IN = "helper.attach.logged-in"
    HELPER_ATTACH_STALE_REMOVED = "helper.attach.stale-removed"
    HELPER_ATTACH_SCANNED = "helper.attach.scanned"
    HELPER_ATTACH_MAP_MADE = "helper.attach.map-made"
    HELPER_FORMAT_RECORDED = "helper.format.recorded"
    HELPER_FORMAT_MADE = "helper.format.made"
    HELPER_FORMAT_FORGOTTEN = "helper.format.record-removed"
    HELPER_MOUNT_CHECKED = "helper.mount.checked"
    HELPER_MOUNT_MOUNTED = "helper.mount.mounted"
    HELPER_BIND_BOUND = "helper.bind.bound"
    HELPER_BIND_RESTRICTED = "helper.bind.restricted"
    HELPER_UNMOUNT_UNMOUNTED = "helper.unmount.unmounted"
    HELPER_DETACH_FLUSHED = "helper.detach.flushed"
    HELPER_DETACH_MAP_REMOVED = "helper.detach.map-removed"
    HELPER_DETACH_DISKS_REMOVED = "helper.detach.disks-removed"
    HELPER_DETACH_FORGOTTEN = "helper.detach.forgotten"


def reached(step: Step) -> None:
    """Do nothing."""
