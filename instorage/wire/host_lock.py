"""The verbs of the host lock: one mapping among others, or a whole expansion alone. Times in milliseconds."""

from __future__ import annotations

from enum import StrEnum

from instorage.wire.record import Record
from instorage.wire.verbs import Empty, Request


class LockMode(StrEnum):
    """Shared: one mapping or unmapping among others. Exclusive: a whole active-active expansion."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class LockRequest(Request):
    """Take or renew the host lock for this connection; dropped when the connection or the lease ends.

    A verb that is under way then keeps it until it has ended: what it does to the host needs the lock.
    """

    mode: LockMode
    lease_ms: int
    wait_ms: int


class LockReply(Record):
    """The lock is held; `not_locked` names files that other programs may lock beside us, and why."""

    not_locked: tuple[str, ...] = ()


class UnlockRequest(Request):
    """Give the host lock up."""


VERBS: dict[str, tuple[type, type]] = {"Lock": (LockRequest, LockReply), "Unlock": (UnlockRequest, Empty)}
"""Verb to request and reply type."""
