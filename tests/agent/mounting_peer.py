"""The scripted helper's verbs of a volume's device and of its mounts."""

from __future__ import annotations

import itertools
from typing import Any

from tests.agent.growing_peer import GrowingPeer
from tests.agent.peer_kernel import FaultError

_MOST = 16  # paths


class MountingPeer(GrowingPeer):
    """Initiator, Inspect, Attach, Leave, Detach, Mount, Bind, Unmount."""

    iqn: str | None
    wwpns: list[str]

    def do_initiator(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"wwpns": self.wwpns} | ({"iqn": self.iqn} if self.iqn else {})

    def do_inspect(self, asked: dict[str, Any], *, more: bool) -> list[dict[str, Any]]:
        if "uid" in asked:
            return [self._state(asked["uid"])]
        if not more:
            raise FaultError("bad-request", "Inspect without a uid is called with «more».")
        known = sorted({*self.devices, *self.formatting})
        return [self._state(uid) for uid in known] or [{"paths": [], "mounts": [], "holders": []}]

    def _state(self, uid: str) -> dict[str, Any]:
        device, disks = self.devices.get(uid), self.disks(uid)
        ends = itertools.chain(self.ends.get(uid, ()), itertools.repeat({}))
        paths = [
            {"name": name, "hctl": f"{number}:0:0:0", "state": "running", "size": self.size(uid)} | its_ends
            for number, (name, its_ends) in enumerate(zip(disks, ends, strict=False))
        ]
        why = self.trouble.get(uid, "")
        mounts = [
            {
                "target": target,
                "fs_type": self.kinds.get(uid, "ext4"),
                "read_only": self.mounts[target][1] or "shutdown" in why or "emergency_ro" in why,
                "trouble": why,
            }
            for target in self.on(uid)
        ]
        found = {"uid": uid, "paths": paths, "mounts": mounts, "formatting": uid in self.formatting}
        found["holders"] = ["dm-99 (vg-data)"] * (uid in self.above)
        here = {"device": device, "multipath": self.has_map(uid), "size": self.size(uid)} if device else {}
        return found | here

    def do_attach(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid, ways = asked["uid"], self._ways(asked)
        if len(ways) > _MOST:
            raise FaultError("bad-request", f"{len(ways)} paths are asked for, more than {_MOST}.")
        self.refuse_worked_on(uid)
        if asked["add_only"]:
            self._require_use(uid, asked["size"])
        here = self.mapped(uid)
        up = [
            number
            for number, (kind, path, _) in enumerate(ways)
            if here and (uid, number) not in self.silent and not self._unseen(kind, path)
        ]
        if not up:
            raise FaultError("no-path", f"Volume {uid} has no path that works.")
        if uid in self.strange:
            raise FaultError("wrong-device", f"Disk sd0 should be volume {uid}, and is another one.")
        known = self.sizes.get(uid) if uid in self.devices else None
        if (size := known or self.capacity(uid)) != asked["size"]:
            raise FaultError("wrong-device", f"sd0 has {size} bytes, not {asked['size']}.")
        self._bring_up(uid, len(up), size, demanded=asked["multipath"] == "required")
        said = {"code": "no-path", "sentence": "It shows no such LUN to this host."}
        lost = {"code": "portal-unreachable", "sentence": "It is seen by no adapter of this host."}
        refused = [
            {kind: path} | (lost if self._unseen(kind, path) else said)
            for number, (kind, path, _) in enumerate(ways)
            if number not in up
        ]
        found = [f"sd{number}" for number in up]
        self.ends[uid] = [ways[number][2] for number in up]
        return {
            "device": self.devices[uid],
            "multipath": self.has_map(uid),
            "found": found,
            "refused": refused,
            "queueing": self.queueing if self.has_map(uid) else "",
        }

    def _require_use(self, uid: str, size: int) -> None:
        if not self.has_map(uid) or not (self.on(uid) or uid in self.foreign):
            raise FaultError("no-multipath", f"Volume {uid} is not mounted here through a map.")
        if self.size(uid) != size:
            raise FaultError("no-multipath", f"The map of volume {uid} has {self.size(uid)} bytes.")

    def do_leave(self, asked: dict[str, Any]) -> dict[str, Any]:
        gone = [one for one in self.sessions if one[0] == asked["target"] and one[1] in asked["portals"]]
        self.sessions.difference_update(gone)
        return {}

    def _ways(self, asked: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        """Return each way to a volume: the field that names it, its path, what Inspect tells of its ends."""
        ways: list[tuple[str, dict[str, Any], dict[str, str]]] = [("path", one, {}) for one in asked["paths"]]
        for path in asked["fc_paths"]:
            for wwpn in self.wwpns[:1] if self._unseen("fc_path", path) else self.wwpns:
                ways.append(("fc_path", path, {"target": path["target"], "initiator": wwpn}))
        return ways

    def _unseen(self, kind: str, path: dict[str, Any]) -> bool:
        return kind == "fc_path" and path["target"] in self.unseen

    def _bring_up(self, uid: str, found: int, size: int, *, demanded: bool) -> None:
        with_map = self.has_map(uid) or not self.no_map
        self.found[uid] = max(found, self.found.get(uid, 0) if uid in self.devices else 0)
        self.devices[uid], self.sizes[uid] = self.name(uid, with_map=with_map), size
        self._demand(uid, demanded=demanded)

    def _demand(self, uid: str, *, demanded: bool) -> None:
        if demanded and not self.has_map(uid):
            raise FaultError("no-multipath", f"Volume {uid} has no multipath map, and one is demanded.")

    def do_detach(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid = asked["uid"]
        self.refuse_worked_on(uid)
        if uid not in self.devices:
            if asked["vanished"]:
                self.formatting.discard(uid)
            return {"removed": [], "lost": False}
        self.refuse_users(uid, self.users(uid, programs=True))
        removed = ["dm-0"] * self.has_map(uid) + self.disks(uid)
        for known in (self.devices, self.sizes, self.found):
            known.pop(uid, None)
        return {"removed": removed, "lost": uid in self.losing}

    def do_mount(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid, target, read_only = asked["uid"], asked["target"], asked["read_only"]
        self.shape(target, only_device=True)
        if asked["shared"] and not read_only:
            raise FaultError("not-allowed", f"Volume {uid} has other readers.")
        self.refuse_worked_on(uid)
        demanded = asked["multipath"] == "required"
        already = target in self.mounts
        formatted = False
        if already:
            self.mounted(target, uid)
            self.verify(uid, asked["size"])
            self._demand(uid, demanded=demanded)
            self.hand_out(uid, target, read_only=read_only)
        else:
            if not self.no_map and len(self.disks(uid)) > 1 and not self.users(uid, programs=False):
                self.devices[uid] = self.name(uid, with_map=True)  # it may have come late
            self._demand(uid, demanded=demanded and bool(self.disks(uid)))
            self.refuse_users(uid, self.users(uid, programs=False))
            self.verify(uid, asked["size"])
            formatted = self._prepare(asked)
            if uid in self.damaged and not read_only and not formatted:
                raise FaultError("file-system", f"The file system of volume {uid} is damaged.")
            self.trouble.pop(uid, None)
            self.mounts[target] = (uid, read_only)
        reply: dict[str, Any] = {"device": self.devices[uid], "fs_type": self.kinds.get(uid, "ext4")}
        reply |= {"formatted": formatted, "already": already}
        return reply | {"multipath": self.has_map(uid), "paths": len(self.disks(uid))}

    def _prepare(self, asked: dict[str, Any]) -> bool:
        """Return whether a file system was made; only on what is new, or where that was broken off here."""
        uid, wanted = asked["uid"], asked["fs_type"]
        begun = uid in self.formatting and uid not in self.formatted
        if uid in self.formatted:
            self.formatting.discard(uid)
            if self.kinds.get(uid, "ext4").rstrip("34") != wanted.rstrip("34"):
                raise FaultError("not-empty", f"{self.kinds.get(uid, 'ext4')} was found on it.")
            return False
        if uid in self.written:
            raise FaultError("not-empty", "Not proven new: it holds data.")
        if asked["read_only"]:
            raise FaultError("not-empty" if begun else "read-only-first-use", "Not proven new.")
        if not asked["may_format"] or asked["copied"]:
            raise FaultError("not-empty", "Not proven new.")
        self.formatting.add(uid)
        if self.break_mkfs:
            self.break_mkfs = False
            raise FaultError("tool-failed", f"mkfs.{wanted} ended with status 1.")
        self.formatting.discard(uid)
        self.formatted.add(uid)
        self.kinds[uid] = wanted
        return True

    def do_bind(self, asked: dict[str, Any]) -> dict[str, Any]:
        source, target, read_only = asked["source"], asked["target"], asked["read_only"]
        (name, of_device), (pods, at_device) = self.shape(source), self.shape(target)
        if not of_device or at_device or name != pods:
            raise FaultError("not-allowed", f"{source} is not the device mount that belongs to {target}.")
        uid, _ = self.mounted(source, asked["uid"])
        self.refuse_worked_on(uid)
        self.hand_out(uid, source, read_only=read_only)
        already = target in self.mounts
        if already:
            self.mounted(target, uid)
        self.mounts[target] = (uid, read_only)
        return {"already": already}

    def do_unmount(self, asked: dict[str, Any]) -> dict[str, Any]:
        target = asked["target"]
        self.shape(target)
        if target not in self.mounts:
            return {}
        uid, _ = self.mounted(target)
        self.refuse_worked_on(uid)
        if asked["unmapped"]:
            if uid in self.devices and self.mapped(uid):
                raise FaultError("device-busy", f"Volume {uid}: not every path says that its LUN is gone.")
            self.refuse_users(uid, self.holders(uid))
        if target in self.busy:
            raise FaultError("device-busy", f"unmount on {target} failed (Device or resource busy).")
        del self.mounts[target]
        return {"uid": uid, "lost": uid in self.losing}
