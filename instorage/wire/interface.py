"""What the agent may ask of the root helper: the interface by name (PROTOCOL.md).

Its text is `helper/io.inspur.instorage.Helper.varlink`; a test holds both equal.
"""

from __future__ import annotations

from instorage.wire import growth, host_lock, verbs

INTERFACE = "io.inspur.instorage.Helper"
VERBS = verbs.VERBS | host_lock.VERBS | growth.VERBS
"""Verb to request and reply type: the whole of what root code does for the agent."""
