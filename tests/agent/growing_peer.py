"""What the scripted helper does for growth: sizes, freezes under a lease, records of expansions."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.agent.locking_peer import Frozen, LockingPeer, Session
from tests.agent.peer_kernel import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST = 120_000  # milliseconds of a freeze
_RECORD, _TEXT, _MOST = 8 << 10, 24 << 10, 6


class GrowingPeer(LockingPeer):
    """`filesystems`: bytes of each file system that has grown.

    `kept` are records of expansions by UID, `barrier` the file in the plugin directory. `writes` is the
    application: called with the UID whenever a volume may be written. `before` is called once when a step of
    an expansion is recorded and not yet sent.
    """

    def __init__(self, barrier: Path) -> None:
        super().__init__()
        self.barrier = barrier
        self.writes: Callable[[str], None] = lambda _: None
        self.filesystems: dict[str, int] = {}
        self.kept: dict[str, str] = {}
        self.read_only = False  # the plugin directory
        self.barriers: list[str] = []
        """Texts that were written to the barrier file."""
        self.before: dict[str, Callable[[], object]] = {}

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

    def do_rescan(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Read sizes again only where they are not what is asked for: paths are proven without a change."""
        uid, size = asked["uid"], asked["size"]
        self.refuse_worked_on(uid)
        if uid in self.strange:
            raise FaultError("wrong-device", f"Disk sd0 should be volume {uid}, and is another one.")
        if not self.disks(uid) or len(self.answering(uid)) < len(self.disks(uid)):
            raise FaultError("no-path", f"Not all paths of volume {uid} are up.")
        if size < self.size(uid):
            raise FaultError("wrong-device", f"{uid} has {self.size(uid)} bytes: nothing is made smaller.")
        if size != self.size(uid):
            if self.capacity(uid) != size:
                raise FaultError("wrong-device", f"sd0 has {self.capacity(uid)} bytes, not {size}.")
            if uid in self.stubborn:
                raise FaultError("tool-failed", f"multipathd was to resize the map of volume {uid}.")
            self.sizes[uid] = size
        return {"device": self.devices[uid], "paths": self.disks(uid)}

    def do_growfilesystem(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid, target = asked["uid"], asked["target"]
        self.shape(target)
        self.refuse_worked_on(uid)
        self.mounted(target, uid)
        self.hand_out(uid, target, read_only=False)
        self.filesystems[uid] = self.size(uid)
        return {"fs_type": self.kinds.get(uid, "ext4"), "size": self.size(uid) - (1 << 20)}

    def thaw_by_hand(self, uid: str) -> None:
        """An administrator's fsfreeze -u."""
        self.by_hand.discard(uid)
        with self._free:
            for session in self._sessions:
                if uid in session.frozen:
                    session.frozen[uid].thawed = True
        self.writes(uid)

    def do_freeze(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        uid, lease, held = asked["uid"], asked["lease_ms"], session.frozen.get(asked["uid"])
        self.shape(asked["target"])
        if not 0 < lease <= LONGEST or (session.frozen and held is None):
            raise FaultError("bad-request", f"One volume is frozen at a time, for 1 to {LONGEST} ms.")
        ends = time.monotonic() + lease / 1000
        if held is None:
            self.refuse_worked_on(uid)
            self.mounted(asked["target"], uid)
            if uid in self.by_hand:
                raise FaultError("device-busy", f"Volume {uid} is frozen by somebody else.")
            session.frozen[uid] = Frozen(ends)
            return {"intact": True}
        if held.over:  # nobody guards it any more, and it is not frozen anew
            return {"intact": False}
        held.intact = held.intact and not held.thawed
        held.until, held.thawed = ends, False
        return {"intact": held.intact}

    def do_thaw(self, asked: dict[str, Any], session: Session) -> dict[str, Any]:
        self.shape(asked["target"])
        return {"intact": self._thaw(session, asked["uid"])}

    def _thaw(self, session: Session, uid: str) -> bool:
        held = session.frozen.pop(uid, None)
        if held is None:
            return False
        self.writes(uid)
        return held.intact and not held.thawed and not held.over

    def do_barrier(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid, record, text, erase = (asked.get(key) for key in ("uid", "record", "text", "erase"))
        if record or text or erase:
            self._refuse_barrier(uid, record or "", text or "", erase=bool(erase))
        if record:
            self.kept[uid or ""] = record
        if text and text != self._shown():
            if self.read_only:
                raise FaultError(
                    "bad-configuration", f"{self.barrier} cannot be written (Read-only file system)."
                )
            temporary = self.barrier.with_name(".barrier.new")
            temporary.write_text(text)
            temporary.rename(self.barrier)
            self.barriers.append(text)
        if erase:
            if not text and uid and uid in self._shown().lower():
                self.barrier.unlink()
            self.kept.pop(uid or "", None)
        if record:
            self._recorded(uid or "", json.loads(record))
        return {"records": [self.kept[one] for one in sorted(self.kept)]}

    def _shown(self) -> str:
        return self.barrier.read_text() if self.barrier.exists() else ""

    def _refuse_barrier(self, uid: str | None, record: str, text: str, *, erase: bool) -> None:
        large = len(record.encode()) > _RECORD or len(text.encode()) > _TEXT
        try:
            known = isinstance(json.loads(record or "{}"), dict)
        except ValueError:
            known = False
        if uid is None or large or (record and erase) or not known:
            raise FaultError("bad-request", "A barrier is one volume's, a JSON object, and not that large.")
        if record and uid not in self.kept and len(self.kept) >= _MOST:
            raise FaultError("barrier", f"{_MOST} expansions are broken off on this host.")

    def _recorded(self, uid: str, record: dict[str, Any]) -> None:
        if not self.frozen(uid):
            self.writes(uid)
        if record.get("state") == "running" and not record["answered"]:
            action = self.before.pop(record["step"], None)
            if action is not None:
                action()
