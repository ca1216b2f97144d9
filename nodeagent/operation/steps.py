"""Every step of an operation in the agent after which it may be gone (root code: `instorage.wire.steps`)."""

from enum import StrEnum

from instorage.wire.steps import reached

__all__ = ["Step", "reached"]


class Step(StrEnum):
    """«process.operation.what is done», each named once, directly after it."""

    AGENT_ATTACH_HOST = "agent.attach.host-known"
    AGENT_ATTACH_RECORDED = "agent.attach.recorded"
    AGENT_ATTACH_MAPPED = "agent.attach.mapped"
    AGENT_ATTACH_WITHDRAWN = "agent.attach.record-withdrawn"
    AGENT_ATTACH_DOUBTED = "agent.attach.recorded-in-doubt"
    AGENT_ATTACH_REFUSED = "agent.attach.not-admitted"
    AGENT_ATTACH_ADMITTED = "agent.attach.admitted"
    AGENT_ATTACH_LEFT = "agent.attach.left-to-its-maker"
    AGENT_ATTACH_UP = "agent.attach.device-up"
    AGENT_ATTACH_TAKEN_BACK = "agent.attach.taken-back"
    AGENT_LEFTOVER_UNMOUNTED = "agent.leftover.unmounted"
    AGENT_LEFTOVER_REMOVED = "agent.leftover.removed"
    AGENT_MOUNT_RECORDED = "agent.mount.recorded"
    AGENT_MOUNT_MOUNTED = "agent.mount.mounted"
    AGENT_MOUNT_BOUND = "agent.mount.bound"
    AGENT_MOUNT_UNBOUND = "agent.mount.unbound"
    AGENT_UNMOUNT_UNMOUNTED = "agent.unmount.unmounted"
    AGENT_DETACH_UNMOUNTED = "agent.detach.unmounted"
    AGENT_DETACH_REMOVED = "agent.detach.device-removed"
    AGENT_DETACH_DOUBTED = "agent.detach.doubt-recorded"
    AGENT_DETACH_UNMAPPED = "agent.detach.unmapped"
    AGENT_DETACH_FORGOTTEN = "agent.detach.record-removed"
    AGENT_DETACH_FENCED = "agent.detach.fenced"
    AGENT_ADOPT_RECORDED = "agent.adopt.recorded"
    AGENT_SETTLE_UNMOUNTED = "agent.settle.unmounted"
    AGENT_EXPAND_NOTED = "agent.expand.growth-noted"
    AGENT_EXPAND_GROWN = "agent.expand.volume-grown"
    AGENT_EXPAND_BARRIER = "agent.expand.barrier-written"
    AGENT_EXPAND_FROZEN = "agent.expand.frozen"
    AGENT_EXPAND_THAWED = "agent.expand.thawed"
    AGENT_EXPAND_ERASED = "agent.expand.barrier-erased"
    AGENT_EXPAND_FORGOTTEN = "agent.expand.earlier-record-forgotten"
    AGENT_EXPAND_PAIR_GROWN = "agent.expand.pair-grown"
    AGENT_EXPAND_RESCANNED = "agent.expand.rescanned"
    AGENT_EXPAND_FILESYSTEM = "agent.expand.file-system-grown"
    AGENT_EXPAND_RECORDED = "agent.expand.recorded"
    AGENT_EXPAND_BROKEN_OFF = "agent.expand.found-broken-off"
