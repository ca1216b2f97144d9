"""Ends of an array that came, or came back: over them it may give more paths than it said before.

What was attached meanwhile knows of them nothing, for an array shows neither ports nor logins that are not
there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from nodeagent.host.volume_paths import End
    from nodeagent.recovery.health import Health

LATE_SECONDS = 60.0  # so long an array may take to show the login of a port that came


class Arrivals:
    """Remembers which ends came, until the array has named them; for one thread at a time.

    `known`: those that it has named before.
    """

    def __init__(self, known: Iterable[End]) -> None:
        self._ports = set(known)
        self._lost: set[End] = set()
        self._since: dict[End, float] = {}  # monotonic seconds

    def look(self, ports: set[End], volumes: Collection[Health]) -> set[End]:
        """Return what came lately; `ports`: Fibre Channel's that are online and may be the array's."""
        now = time.monotonic()
        lost = {end for health in volumes for end in health.lost}
        works = {end for health in volumes for end in health.works}
        back = (self._lost & works) - lost
        self._since |= dict.fromkeys(back | (ports - self._ports), now)
        self._since = {end: since for end, since in self._since.items() if now - since < LATE_SECONDS}
        self._ports, self._lost = ports, (self._lost | lost) - back
        return set(self._since)

    def settle(self, known: Collection[End]) -> bool:
        """Forget those that the array has named now; return whether there were any."""
        named = self._since.keys() & known
        for end in named:
            del self._since[end]
        return bool(named)
