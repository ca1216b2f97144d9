"""The helper that the agent's tests talk to, as a world of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.agent.helper_peer import HelperPeer
from tests.agent.peer_kernel import ROOT
from tests.contract.world import ADAPTERS, GIB, Caller

if TYPE_CHECKING:
    from pathlib import Path

TROUBLE = {
    "shutdown": "was given up by the kernel after an error (shutdown)",
    "emergency_ro": "takes no writes after an error (emergency_ro)",
    "errors": "has had 1 errors since it was last checked",
}


class ScriptedWorld:
    """An array that is two dictionaries: the size of each volume, whether it is mapped here."""

    root, most = ROOT, 5

    def __init__(self, directory: Path) -> None:
        (directory / "plugin").mkdir()
        self._peer = peer = HelperPeer(directory / "peer.sock")
        self._sizes: dict[str, int] = {}
        peer.capacity = self._sizes.__getitem__
        peer.mapped = self._sizes.__contains__
        peer.lock_wait, peer.most = 0.3, self.most
        peer.start()

    def close(self) -> None:
        self._peer.stop()

    def connect(self) -> Caller:
        return Caller(str(self._peer.path))

    def initiator(self, name: str | None) -> None:
        self._peer.iqn = name

    def plug(self) -> None:
        self._peer.wwpns = [*ADAPTERS]

    def unplug(self, port: str) -> None:
        self._peer.unseen.add(port)

    def show(self, uid: str, size: int = GIB) -> None:
        self._sizes[uid] = size

    def withdraw(self, uid: str) -> None:
        del self._sizes[uid]

    def replace(self, uid: str) -> None:
        self._peer.strange.add(uid)

    def silence(self, uid: str, path: int) -> None:
        self._peer.silent.add((uid, path))

    def grow(self, uid: str, size: int) -> None:
        self._sizes[uid] = size

    def lose_writes(self, uid: str) -> None:
        self._peer.losing.add(uid)

    def no_map(self, *, again: bool = False) -> None:
        self._peer.no_map = not again

    def keep_map_size(self, uid: str) -> None:
        self._peer.stubborn.add(uid)

    def holds(self, uid: str, kind: str) -> None:
        (self._peer.formatted if kind else self._peer.written).add(uid)
        self._peer.kinds[uid] = kind

    def damage(self, uid: str) -> None:
        self._peer.damaged.add(uid)

    def break_mkfs(self) -> None:
        self._peer.break_mkfs = True

    def foreign_mount(self, uid: str) -> None:
        self._peer.foreign.add(uid)

    def mount_by_hand(self, uid: str) -> None:
        self._peer.mounts["/mnt/by-hand"] = (uid, False)

    def open_by_program(self, uid: str) -> None:
        self._peer.opened.add(uid)

    def build_above(self, uid: str) -> None:
        self._peer.above.add(uid)

    def strange_mount(self, target: str) -> None:
        self._peer.mounts[target] = ("", False)

    def open_files(self, target: str) -> None:
        self._peer.busy.add(target)

    def stop_file_system(self, uid: str, how: str) -> None:
        self._peer.trouble[uid] = TROUBLE[how]

    def freeze_by_hand(self, uid: str) -> None:
        self._peer.by_hand.add(uid)

    def thaw_by_hand(self, uid: str) -> None:
        self._peer.thaw_by_hand(uid)

    def is_frozen(self, uid: str) -> bool:
        return self._peer.frozen(uid)

    def barrier_text(self) -> str | None:
        return self._peer.barrier.read_text() if self._peer.barrier.exists() else None

    def spoil_plugin_directory(self) -> None:
        self._peer.read_only = True
