"""What the scripted helper's host has: devices, mounts and their troubles, all of it set by a test.

`tests/contract` holds this, and the verbs that are made of it, to what the true helper does.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/var/lib/kubelet"
_POD = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DRIVER = "inspur{}instorage-flexvolume"
_NAME = r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]{0,252})"
_DEVICE = re.compile(rf"{ROOT}/plugins/kubernetes\.io/flexvolume/{_DRIVER.format('/')}/mounts/{_NAME}")
_PODS = re.compile(rf"{ROOT}/pods/{_POD}/volumes/{_DRIVER.format('~')}/{_NAME}")
_GIB = 1 << 30


class FaultError(Exception):
    """An error reply."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameters = {"code": code, "sentence": sentence, "fields": {}}


class PeerKernel:
    """`devices` maps UIDs to device names, `mounts` targets to (UID, read-only); no UID: somebody else's.

    `capacity` and `mapped` say how large the array makes a volume now, and whether this host has it. The sets
    hold UIDs: `formatted` (a file system is on it, of `kinds`), `formatting` (a format was broken off here),
    `damaged`, `written` (data that is no file system), `foreign` (another namespace has a mount), `opened` (a
    program has the map), `above` (a map is built on it), `losing` (writes do not arrive), `stubborn` (its map
    keeps its size), `strange` (another volume answers behind its LUN), `by_hand` (an administrator's freeze).
    `silent` are (UID, number of its path), `unseen` the WWPNs of ports that no adapter sees, `busy` targets
    with open files, `trouble` what the kernel says of a file system; `no_map`: multipathd makes none;
    `break_mkfs`: the next format is broken off; `queueing`: multipathd's word
    for every map; `sessions`: (target, portal) without a device, for Leave.
    """

    def __init__(self) -> None:
        self.capacity: Callable[[str], int] = lambda _: _GIB
        self.mapped: Callable[[str], bool] = lambda _: True
        self.devices: dict[str, str] = {}
        self.mounts: dict[str, tuple[str, bool]] = {}
        self.sizes: dict[str, int] = {}
        self.found: dict[str, int] = {}
        self.kinds: dict[str, str] = {}
        self.trouble: dict[str, str] = {}
        self.formatted: set[str] = set()
        self.formatting: set[str] = set()
        self.damaged: set[str] = set()
        self.written: set[str] = set()
        self.foreign: set[str] = set()
        self.opened: set[str] = set()
        self.above: set[str] = set()
        self.losing: set[str] = set()
        self.stubborn: set[str] = set()
        self.strange: set[str] = set()
        self.by_hand: set[str] = set()
        self.silent: set[tuple[str, int]] = set()
        self.busy: set[str] = set()
        self.unseen: set[str] = set()
        self.ends: dict[str, list[dict[str, str]]] = {}
        self.no_map = self.break_mkfs = False
        self.queueing = "60 chk 0"
        self.sessions: set[tuple[str, str]] = set()

    def shape(self, target: str, *, only_device: bool = False) -> tuple[str, bool]:
        """Return a target's volume name, and whether it is a device mount; refuse what is neither."""
        device, pod = _DEVICE.fullmatch(target), _PODS.fullmatch(target)
        found = device or (None if only_device else pod)
        if found is None:
            raise FaultError("not-allowed", f"{target!r} is not a target of kubelet's, or not of this kind.")
        return found["name"], device is not None

    def is_target(self, path: str) -> bool:
        return bool(_DEVICE.fullmatch(path) or _PODS.fullmatch(path))

    def disks(self, uid: str) -> list[str]:
        """Return the volume's disks; those that a test has put here are two."""
        return [f"sd{number}" for number in range(self.found.get(uid, 2))] if uid in self.devices else []

    def has_map(self, uid: str) -> bool:
        return "mpath" in self.devices.get(uid, "")

    def name(self, uid: str, *, with_map: bool) -> str:
        return f"/dev/disk/by-id/{'dm-uuid-mpath-3' if with_map else 'wwn-0x'}{uid}"

    def answering(self, uid: str) -> list[str]:
        """Return the disks that say who they are; none does once the array has unmapped the volume."""
        if not self.mapped(uid):
            return []
        return [disk for number, disk in enumerate(self.disks(uid)) if (uid, number) not in self.silent]

    def on(self, uid: str) -> list[str]:
        return [target for target, (owner, _) in self.mounts.items() if owner == uid]

    def users(self, uid: str, *, programs: bool) -> list[str]:
        """Return who uses a volume, kubelet's own mounts as well."""
        found = [f"a mount on {target}" for target in self.on(uid)] + self.holders(uid)
        return found + (["a program that has dm-0 open"] if programs and uid in self.opened else [])

    def holders(self, uid: str) -> list[str]:
        """Return who keeps a volume although kubelet's mounts end."""
        found = [f"a mount on {target}" for target in self.on(uid) if not self.is_target(target)]
        found += ["a mount on /data (seen by process 4711)"] if uid in self.foreign else []
        return found + ["dm-99 (vg-data)"] * (uid in self.above)

    def refuse_users(self, uid: str, found: list[str]) -> None:
        if found:
            raise FaultError("device-busy", f"Volume {uid} is still used by {found[0]}: end that first.")

    def verify(self, uid: str, size: int) -> None:
        """Refuse a volume without a path that works, of which a disk is another's, or of another size."""
        if uid in self.strange:
            raise FaultError("wrong-device", f"Disk sd0 should be volume {uid}, and is another one.")
        if not self.answering(uid):
            raise FaultError("no-path", f"Volume {uid} has no path that works.")
        if (here := self.size(uid)) != size:
            raise FaultError("wrong-device", f"sd0 has {here} bytes, not {size}.")

    def size(self, uid: str) -> int:
        if uid not in self.sizes:
            self.sizes[uid] = self.capacity(uid)
        return self.sizes[uid]

    def mounted(self, target: str, uid: str = "") -> tuple[str, bool]:
        """Return what of ours is mounted on a target."""
        owner, read_only = self.mounts.get(target, ("", False))
        if not owner or uid not in ("", owner):
            raise FaultError("not-ours", f"{f'Volume {uid} is not' if uid else 'No volume is'} on {target}.")
        return owner, read_only

    def hand_out(self, uid: str, target: str, *, read_only: bool) -> None:
        """Refuse a file system that the kernel has stopped, and writes where it takes none."""
        why = self.trouble.get(uid, "")
        if (why and not read_only) or "shutdown" in why:
            raise FaultError("file-system", f"Volume {uid} on {target} {why}: end the pods that use it.")
        if self.mounts[target][1] and not read_only:
            raise FaultError("file-system", f"Volume {uid} is mounted read-only on {target}.")


def until(look: Callable[[], Any], seconds: float) -> Any:
    """Return what `look` says as soon as it is true, or at the end."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found
