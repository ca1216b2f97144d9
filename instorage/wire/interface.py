"""What the agent may ask of the root helper: the interface by name (PROTOCOL.md).

Its text is `helper/io.inspur.instorage.Helper.varlink`; a test holds both equal.
"""

from __future__ import annotations

from instorage.wire import growth, verbs

INTERFACE = "io.inspur.instorage.Helper"
VERBS: dict[str, tuple[type, type]] = {
    "Initiator": (verbs.InitiatorRequest, verbs.InitiatorReply),
    "Inspect": (verbs.InspectRequest, verbs.InspectReply),
    "Lock": (verbs.LockRequest, verbs.LockReply),
    "Unlock": (verbs.UnlockRequest, verbs.Empty),
    "Attach": (verbs.AttachRequest, verbs.AttachReply),
    "Detach": (verbs.DetachRequest, verbs.DetachReply),
    "Mount": (verbs.MountRequest, verbs.MountReply),
    "Bind": (verbs.BindRequest, verbs.BindReply),
    "Unmount": (verbs.UnmountRequest, verbs.UnmountReply),
    "Rescan": (growth.RescanRequest, growth.RescanReply),
    "GrowFilesystem": (growth.GrowFilesystemRequest, growth.GrowFilesystemReply),
    "Freeze": (growth.FreezeRequest, growth.FreezeReply),
    "Thaw": (growth.ThawRequest, growth.ThawReply),
    "Barrier": (growth.BarrierRequest, growth.BarrierReply),
}
"""Verb to request and reply type: the whole of what root code does for the agent."""
