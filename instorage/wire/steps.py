"""Every step of attach, format, mount, unmount and detach in root code, after which a process may go.

Each is named once, directly after what it names was done. The crash tests' build puts another `reached` in
the place of this one (`tests/lab/crash/build.py`); the product has no way to be stopped. Growth's steps
are in `growth`, the agent's in `nodeagent.operation.steps`.
"""

from enum import StrEnum


class Step(StrEnum):
    """«process.operation.what is done»."""

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
    HELPER_DETACH_QUEUEING_ENDED = "helper.detach.queueing-ended"
    HELPER_DETACH_MAP_REMOVED = "helper.detach.map-removed"
    HELPER_DETACH_DISKS_REMOVED = "helper.detach.disks-removed"
    HELPER_DETACH_LOGGED_OUT = "helper.detach.logged-out"
    HELPER_DETACH_FORGOTTEN = "helper.detach.forgotten"


def reached(step: StrEnum) -> None:
    """Do nothing."""
