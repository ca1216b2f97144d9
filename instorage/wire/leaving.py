"""The verb that ends sessions of ours to portals that an array has dropped."""

from __future__ import annotations

from instorage.wire.record import Record
from instorage.wire.values import Iqn, Portal
from instorage.wire.verbs import Request


class LeaveRequest(Request):
    """End the sessions to these portals of a target that the array has no more.

    Only those that a volume was attached through, and that have no device of any kind.
    """

    target: Iqn
    portals: tuple[Portal, ...]
    wait_ms: int


class LeaveReply(Record):
    """The portals whose sessions were ended."""

    ended: tuple[str, ...] = ()


VERBS: dict[str, tuple[type, type]] = {"Leave": (LeaveRequest, LeaveReply)}
"""Verb to request and reply type."""
