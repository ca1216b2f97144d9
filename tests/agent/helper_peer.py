"""A scripted root helper: real varlink bytes on a real socket, and a kernel made of two dictionaries.

The true helper is exercised in the lab. This one keeps the agent honest about order, locks and faults: it
writes down every verb, refuses what the true one refuses (a device that is mounted, a volume that is not
here), and fails on command.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.agent.growing_peer import FaultError, GrowingPeer, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INTERFACE = "io.inspur.instorage.Helper"
IQN = "iqn.1993-08.org.debian:01:node1"


@dataclass
class Script:
    """What happens to the next calls of one verb: a fault, a broken connection, a wait before the work."""

    fault: FaultError | None = None
    dies: bool = False
    gate: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)


class HelperPeer(GrowingPeer):
    """`devices` maps UIDs to device names, `mounts` targets to (UID, read-only)."""

    def __init__(self, path: Path, seen: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(path.parent / "plugin/aa-extend-failure.barrier")
        self.path = path
        self.devices: dict[str, str] = {}
        self.mounts: dict[str, tuple[str, bool]] = {}
        self.formatted: set[str] = set()
        self.formatting: set[str] = set()
        self.iqn: str | None = IQN
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.scripts: dict[str, deque[Script]] = {}
        self._seen = seen
        self._guard = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()

    def start(self) -> None:
        """Listen."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Be gone, as a helper whose socket unit was stopped."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self.path.unlink(missing_ok=True)
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Die, and be there again at once for who connects anew, as a socket unit makes it."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Die and be started anew by systemd: what was locked or frozen for a connection is so no more."""
        self.stop()
        deadline = time.monotonic() + 10
        while self._connections:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.start()

    def script(self, verb: str, **what: Any) -> Script:
        """Put something in the way of the next call of `verb`."""
        script = Script(**what)
        self.scripts.setdefault(verb, deque()).append(script)
        return script

    def verbs(self) -> list[str]:
        """Verbs in the order in which they came."""
        with self._guard:
            return [verb for verb, _ in self.calls]

    def last(self, verb: str) -> dict[str, Any]:
        """Parameters of the latest call of a verb."""
        with self._guard:
            return next(parameters for name, parameters in reversed(self.calls) if name == verb)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        session = Session()
        self._enter(session)
        pending = b""
        try:
            while True:
                while b"\0" not in pending:
                    data = connection.recv(65536)
                    if not data:
                        return
                    pending += data
                text, _, pending = pending.partition(b"\0")
                message = json.loads(text)
                verb = message["method"].removeprefix(f"{INTERFACE}.")
                self._answer(connection, verb, message, session)
        except OSError:
            return
        finally:
            self._leave(session)
            self._connections.discard(connection)
            connection.close()

    def _answer(
        self, connection: socket.socket, verb: str, message: dict[str, Any], session: Session
    ) -> None:
        parameters = message["parameters"]
        with self._guard:
            self.calls.append((verb, parameters))
            scripts = self.scripts.get(verb)
            script = scripts.popleft() if scripts else None
        self._seen(verb)
        if script is not None:
            script.reached.set()
            if script.gate is not None:
                assert script.gate.wait(30)
            if script.dies:
                raise ConnectionError
        try:
            if script is not None and script.fault is not None:
                raise script.fault
            own = (session,) if verb in ("Lock", "Unlock", "Freeze", "Thaw") else ()
            reply = getattr(self, f"do_{verb.lower()}")(parameters, *own)
        except FaultError as error:
            body: dict[str, Any] = {"error": f"{INTERFACE}.Fault", "parameters": error.parameters}
            connection.sendall(json.dumps(body).encode() + b"\0")
            return
        replies = reply if isinstance(reply, list) else [reply]
        for number, one in enumerate(replies, 1):
            body = {"parameters": one} | ({"continues": True} if number < len(replies) else {})
            connection.sendall(json.dumps(body).encode() + b"\0")

    def do_initiator(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"wwpns": []} | ({"iqn": self.iqn} if self.iqn else {})

    def do_inspect(self, asked: dict[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        if "uid" in asked:
            return self._state(asked["uid"])
        known = sorted({*self.devices, *self.formatting})
        return [self._state(uid) for uid in known] or [{"paths": [], "mounts": [], "holders": []}]

    def _state(self, uid: str) -> dict[str, Any]:
        device = self.devices.get(uid)
        size = self.sizes.get(uid, 1 << 30)
        paths = [{"name": "sda", "hctl": "0:0:0:0", "state": "running", "size": size}] if device else []
        mounts = [
            {"target": target, "fs_type": "ext4", "read_only": read_only}
            for target, (owner, read_only) in self.mounts.items()
            if owner == uid
        ]
        found = {"uid": uid, "paths": paths, "mounts": mounts, "holders": []}
        return (
            found
            | {"formatting": uid in self.formatting}
            | ({"device": device, "multipath": True, "size": size} if device else {})
        )

    def do_attach(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not asked["paths"]:
            raise FaultError("no-path", "No path.")
        if self.sizes.setdefault(asked["uid"], self.capacity(asked["uid"])) != asked["size"]:
            raise FaultError(
                "wrong-device", f"sda has {self.sizes[asked['uid']]} bytes, not {asked['size']}."
            )
        self.devices[asked["uid"]] = f"/dev/disk/by-id/dm-uuid-mpath-3{asked['uid']}"
        found = [f"sd{number}" for number, _ in enumerate(asked["paths"])]
        return {"device": self.devices[asked["uid"]], "multipath": True, "found": found, "refused": []}

    def do_detach(self, asked: dict[str, Any]) -> dict[str, Any]:
        mounted = [target for target, (uid, _) in self.mounts.items() if uid == asked["uid"]]
        if mounted:
            raise FaultError(
                "device-busy", f"Volume {asked['uid']} is still used by a mount on {mounted[0]}."
            )
        if asked["vanished"]:
            self.formatting.discard(asked["uid"])
        self.sizes.pop(asked["uid"], None)
        return {"removed": ["dm-0"] if self.devices.pop(asked["uid"], None) else []}

    def do_mount(self, asked: dict[str, Any]) -> dict[str, Any]:
        uid, target = asked["uid"], asked["target"]
        if uid not in self.devices:
            raise FaultError("no-path", f"Volume {uid} is not here.")
        empty = uid not in self.formatted
        if empty and not asked["may_format"]:
            raise FaultError("not-empty", "Not proven new.")
        self.formatted.add(uid)
        already = target in self.mounts
        self.mounts[target] = (uid, asked["read_only"])
        return {
            "device": self.devices[uid],
            "fs_type": asked["fs_type"],
            "formatted": empty,
            "already": already,
        }

    def do_bind(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["source"] not in self.mounts:
            raise FaultError("not-ours", f"Nothing of ours is mounted on {asked['source']}.")
        already = asked["target"] in self.mounts
        self.mounts[asked["target"]] = (self.mounts[asked["source"]][0], asked["read_only"])
        return {"already": already}

    def do_unmount(self, asked: dict[str, Any]) -> dict[str, Any]:
        mounted = self.mounts.pop(asked["target"], None)
        return {"uid": mounted[0]} if mounted else {}
