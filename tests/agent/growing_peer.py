"""The scripted helper's host lock, and what it does for growth: sizes, freezes under a lease, records."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FaultError(Exception):
    """An error reply."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameters = {"code": code, "sentence": sentence, "fields": {}}


@dataclass
class Frozen:
    """A freeze under a lease (monotonic seconds); `thawed` by its end, or by somebody else."""

    until: float
    thawed: bool = False


@dataclass(eq=False)
class Session:
    """What one connection holds: the host lock in a mode, frozen volumes."""

    lock: str = ""
    frozen: dict[str, Frozen] = field(default_factory=dict)


class GrowingPeer:
    """Who holds the lock, and a kernel that knows sizes.

    `capacity` says how large the array makes a volume now, `sizes` and `filesystems` what the kernel has of
    it. `kept` are records of expansions by UID, `barrier` the file in the plugin directory. `writes` is the
    application: called with the UID whenever a volume may be written. `before` is called once when a step of
    an expansion is recorded and not yet sent.
    """

    devices: dict[str, str]
    mounts: dict[str, tuple[str, bool]]

    def __init__(self, barrier: Path) -> None:
        self.barrier = barrier
        self.capacity: Callable[[str], int] = lambda _: 1 << 30
        self.writes: Callable[[str], None] = lambda _: None
        self.sizes: dict[str, int] = {}
        self.filesystems: dict[str, int] = {}
        self.kept: dict[str, str] = {}
        self.read_only = False  # the plugin directory
        self.barriers: list[str] = []
        """Texts that were written to the barrier file."""
        self.before: dict[str, Callable[[], object]] = {}
        self._sessions: set[Session] = set()
        self._free = threading.Condition()

    def _enter(self, session: Session) -> None:
        with self._free:
            self._sessions.add(session)

    def _leave(self, session: Session) -> None:
        for uid in list(session.frozen):
            self._thaw(session, uid)
        with self._free:
            session.lock = ""
            self._sessions.discard(session)
            self._free.notify_all()

    @property
    def locks(self) -> int:
        """How many connections hold the host lock."""
        with self._free:
            return sum(bool(session.lock) for session in self._sessions)

    def do_lock(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        def free() -> bool:
            modes = {other.lock for other in self._sessions if other is not session} - {""}
            return not modes or (asked["mode"] == "shared" and modes == {"shared"})

        with self._free:
            if not self._free.wait_for(free, asked["wait_ms"] / 1000):
                raise FaultError("lock-timeout", "The host lock is held by another connection.")
            session.lock = asked["mode"]
        return {"not_locked": ["/config: Permission denied"]}

    def do_unlock(self, _: dict[str, Any], session: Session) -> dict[str, Any]:
        with self._free:
            session.lock = ""
            self._free.notify_all()
        return {}

    def do_rescan(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid = asked["uid"]
        if uid not in self.devices:
            raise FaultError("no-path", f"Volume {uid} is not here.")
        self.sizes[uid] = self.capacity(uid)
        if self.sizes[uid] != asked["size"]:
            raise FaultError("wrong-device", f"sda has {self.sizes[uid]} bytes, not {asked['size']}.")
        return {"device": self.devices[uid], "paths": ["sda"]}

    def do_growfilesystem(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid = asked["uid"]
        if self.mounts.get(asked["target"], ("",))[0] != uid:
            raise FaultError("not-ours", f"Volume {uid} is not mounted on {asked['target']}.")
        assert not self.frozen(uid), "a frozen file system does not grow"
        self.filesystems[uid] = self.sizes[uid]
        return {"fs_type": "ext4", "size": self.sizes[uid] - (1 << 20)}

    def frozen(self, uid: str) -> bool:
        """Whether the file system of a volume takes no writes."""
        with self._free:
            holds = [session.frozen[uid] for session in self._sessions if uid in session.frozen]
        return any(not hold.thawed and hold.until > time.monotonic() for hold in holds)

    def thaw_by_hand(self, uid: str) -> None:
        """An administrator's fsfreeze -u, or the end of the lease."""
        with self._free:
            for session in self._sessions:
                if uid in session.frozen:
                    session.frozen[uid].thawed = True
        self.writes(uid)

    def do_freeze(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        uid, now = asked["uid"], time.monotonic()
        if self.mounts.get(asked["target"], ("",))[0] != uid:
            raise FaultError("not-ours", f"Volume {uid} is not mounted on {asked['target']}.")
        held = session.frozen.get(uid)
        if held is None:
            session.frozen[uid] = Frozen(now + asked["lease_ms"] / 1000)
            return {"intact": True}
        intact = not held.thawed and held.until > now
        session.frozen[uid] = Frozen(now + asked["lease_ms"] / 1000)
        return {"intact": intact}

    def do_thaw(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        return {"intact": self._thaw(session, asked["uid"])}

    def _thaw(self, session: Session, uid: str) -> bool:
        held = session.frozen.pop(uid, None)
        if held is None:
            return False
        intact = not held.thawed and held.until > time.monotonic()
        self.writes(uid)
        return intact

    def do_barrier(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid = asked.get("uid")
        if uid and asked["erase"]:
            self.kept.pop(uid, None)
            self.barrier.unlink(missing_ok=True)
        elif uid:
            assert len(asked["record"].encode()) <= 8 << 10
            assert len(asked["text"].encode()) <= 24 << 10
            self.kept[uid] = asked["record"]
            if asked["text"]:
                if self.read_only:
                    raise FaultError("internal", "Read-only file system")
                temporary = self.barrier.with_name(".barrier.new")
                temporary.write_text(asked["text"])
                temporary.rename(self.barrier)
                self.barriers.append(asked["text"])
            self._recorded(uid, json.loads(asked["record"]))
        return {"records": list(self.kept.values())}

    def _recorded(self, uid: str, record: dict[str, Any]) -> None:
        if not self.frozen(uid):
            self.writes(uid)
        if record["state"] == "running" and not record["answered"]:
            action = self.before.pop(record["step"], None)
            if action is not None:
                action()
