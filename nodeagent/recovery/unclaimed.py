"""Volumes that kubelet may have given up: their device mount stands, and no pod is known to have it.

kubelet never ends what it was told has failed: neither a mountdevice that outlasts the stub (a long fsck),
nor a mount. While the pod is there it asks again, after 2 min 2 s at the latest. Nothing of this is written
down: an agent that starts looks at every volume, and begins to wait anew.
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
        self._late: dict[str, set[str]] = {}

    def claim(self, uid: str) -> bool:
        """Forget it: a call names it, or it is gone; return whether it was noted."""
        with self._guard:
            self._late.pop(uid, None)
            return self._since.pop(uid, None) is not None

    def note(self, uid: str, late: str = "") -> float:
        """Note that nobody may want it; return when that is certain (monotonic seconds).

        `late`: the pod's directory in which it was bound for a caller that had left.
        """
        with self._guard:
            if late:
                self._late.setdefault(uid, set()).add(late)
            return self._since.setdefault(uid, time.monotonic()) + self._patience

    def given_up(self, uid: str) -> frozenset[str] | None:
        """Return where it was bound too late, once kubelet has given it up; None as long as it may ask."""
        with self._guard:
            since = self._since.get(uid)
            if since is None or time.monotonic() - since < self._patience:
                return None
            return frozenset(self._late.get(uid, ()))
