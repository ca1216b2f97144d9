"""The scripted helper's locks: the host's, for a connection and a lease, and a volume's under a freeze."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.agent.peer_kernel import FaultError, PeerKernel, until

_PAUSE = 0.02  # seconds between two looks at leases that may have ended


@dataclass
class Frozen:
    """A freeze under a lease (monotonic seconds); `thawed` by somebody else, and seen to be (`intact`)."""

    until: float
    thawed: bool = False
    intact: bool = True

    @property
    def over(self) -> bool:
        return self.until <= time.monotonic()


@dataclass(eq=False)
class Session:
    """What one connection holds: the host lock in a mode until its lease ends, frozen volumes."""

    lock: str = ""
    until: float | None = None
    frozen: dict[str, Frozen] = field(default_factory=dict)

    @property
    def lost(self) -> bool:
        """Whether the lease has ended: then nothing more is done for this connection."""
        return self.until is not None and time.monotonic() > self.until

    @property
    def mode(self) -> str:
        return "" if self.lost else self.lock


class LockingPeer(PeerKernel):
    """Who holds what; `lock_wait`: seconds for which a volume's lock is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.lock_wait = 5.0
        self._sessions: set[Session] = set()
        self._free = threading.Condition()

    @property
    def locks(self) -> int:
        """How many connections hold the host lock."""
        with self._free:
            return sum(bool(session.mode) for session in self._sessions)

    def do_lock(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        if session.lock not in ("", asked["mode"]):
            raise FaultError("bad-request", f"The host lock is held {session.lock} here: give it up first.")

        def free() -> bool:
            modes = {other.mode for other in self._sessions if other is not session} - {""}
            return not modes or (asked["mode"] == "shared" and modes == {"shared"})

        deadline = time.monotonic() + asked["wait_ms"] / 1000
        with self._free:
            while not session.lock and not free():
                if time.monotonic() >= deadline:
                    raise FaultError("lock-timeout", "The host lock is held by another connection.")
                self._free.wait(_PAUSE)
            session.lock = asked["mode"]
            session.until = time.monotonic() + asked["lease_ms"] / 1000
        return {"not_locked": ["/config: Permission denied"]}

    def do_unlock(self, _: dict[str, Any], session: Session) -> dict[str, Any]:
        with self._free:
            session.lock, session.until = "", None
            self._free.notify_all()
        return {}

    def frozen(self, uid: str) -> bool:
        """Whether the file system of a volume takes no writes."""
        return uid in self.by_hand or any(not hold.thawed for hold in self._guardians(uid))

    def refuse_worked_on(self, uid: str) -> None:
        """Refuse a volume whose lock the guardian of a freeze has, of this connection's as well."""
        if not until(lambda: not self._guardians(uid), self.lock_wait):
            raise FaultError("lock-timeout", f"{uid} is still worked on by the guardian of a freeze.")

    def _guardians(self, uid: str) -> list[Frozen]:
        with self._free:
            holds = [session.frozen[uid] for session in self._sessions if uid in session.frozen]
        return [hold for hold in holds if not hold.over]
