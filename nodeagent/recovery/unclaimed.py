"""Volumes that kubelet may have given up: their device mount stands, and no pod is known to have it.

kubelet never ends a mountdevice that it was told has failed, and one may outlast the stub (a long fsck).
While the pod is there it asks again, after 2 min 2 s at the latest. Nothing of this is written down: an agent
that starts looks at every volume, and begins to wait anew. A pod's directory is none of this: kubelet takes
one that is bound for done and asks no more, so time alone says nothing of it (`calls/mount.py`).
"""

from __future__ import annotations

import threading
import time

GIVEN_UP = 20  # times the rest of 30 s: kubelet's longest pause, a call's 100 s, and as much again


class Unclaimed:
    """What no call has named for how long; thread-safe. `rest`: seconds between two calls for a volume."""

    def __init__(self, rest: float) -> None:
        self._patience = rest * GIVEN_UP
        self._guard = threading.Lock()
        self._since: dict[str, float] = {}

    def claim(self, uid: str) -> bool:
        """Forget it: a call names it, or it is gone; return whether it was noted."""
        with self._guard:
            return self._since.pop(uid, None) is not None

    def note(self, uid: str) -> float:
        """Note that nobody may want it; return when that is certain (monotonic seconds)."""
        with self._guard:
            return self._since.setdefault(uid, time.monotonic()) + self._patience

    def given_up(self, uid: str) -> bool:
        """Say whether kubelet has given it up; it may still ask for what was not noted."""
        with self._guard:
            since = self._since.get(uid)
            return since is not None and time.monotonic() - since >= self._patience
