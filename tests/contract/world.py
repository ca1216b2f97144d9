"""One world, twice: an array, a host and the helper before it, as a test sets them up and calls them.

`tests/contract/true_world.py` has the true helper on a stand-in of the kernel, `scripted_world.py` the helper
that the agent's tests talk to. What a test says of one of them must hold of the other.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from instorage.wire.interface import INTERFACE, VERBS
from instorage.wire.record import from_json, to_json
from instorage.wire.varlink import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

UID = "600507600089000" + "0" * 16 + "1"
OTHER = "600507600089000" + "0" * 16 + "2"
GIB = 1 << 30
IQN = "iqn.2004-12.com.inspur:mcs.node1"
PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")
ADAPTERS = ("2100000e1e30acfc", "2100000e1e30acfd")
PORTS = ("500507680110aaaa", "500507680110bbbb")
POD, SECOND = (f"431a7251-1df7-43a7-b81a-9e1d775a898{digit}" for digit in "ef")
NAMES = {UID: "pvc-1", OTHER: "pvc-2"}
LUNS = {UID: 1, OTHER: 2}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Lock": {"lease_ms": 20000, "wait_ms": 0},
    "Attach": {"size": GIB, "multipath": "preferred", "wait_ms": 3000},
    "Leave": {"target": IQN, "wait_ms": 3000},
    "Detach": {"wait_ms": 3000},
    "Mount": {
        "size": GIB,
        "fs_type": "ext4",
        "read_only": False,
        "may_format": True,
        "multipath": "preferred",
    },
    "Bind": {"read_only": False},
    "Rescan": {"wait_ms": 4000},
    "Freeze": {"lease_ms": 60000},
}


class Answer(NamedTuple):
    """What is compared of an answer: the fault's code, empty for success, and the reply's record."""

    code: str
    reply: Any

    def ok(self) -> Any:
        assert not self.code, self.code
        return self.reply


class Caller:
    """One connection, over true varlink."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._stream = Stream(self._socket)

    def call(self, verb: str, **parameters: Any) -> Answer:
        """Send a request as the agent does, every field of it; just what is given only with `raw`."""
        raw, more = parameters.pop("raw", False), parameters.pop("more", False)
        given = {"op": "test1", **({} if raw else DEFAULTS.get(verb, {})), **parameters}
        sent = given if raw else to_json(from_json(VERBS[verb][0], given))
        self._send(verb, sent, more=more)
        return self.receive(verb)

    def _send(self, verb: str, sent: dict[str, object], *, more: bool) -> None:
        message = {"method": f"{INTERFACE}.{verb}", "parameters": sent} | ({"more": True} if more else {})
        with contextlib.suppress(BrokenPipeError):  # refused: what it said can be read
            self._stream.send(message, time.monotonic() + 20)

    def receive(self, verb: str) -> Answer:
        """Take one answer, of several replies all."""
        replies: list[Any] = []
        while True:
            answer = self._stream.receive(time.monotonic() + 40)
            assert answer is not None, "the helper closed the connection"
            if "error" in answer:
                assert answer["error"] == f"{INTERFACE}.Fault", answer
                return Answer(answer["parameters"]["code"], None)
            replies.append(from_json(VERBS[verb][1], answer["parameters"]))
            if not answer.get("continues"):
                return Answer("", replies[0] if len(replies) == 1 else replies)

    def close(self) -> None:
        self._socket.close()


class World(Protocol):
    """What a test changes; a volume is named by its UID, a path by its number."""

    root: str
    most: int
    """Connections that are served at a time."""

    def connect(self) -> Caller: ...
    def initiator(self, name: str | None) -> None: ...
    def plug(self) -> None:
        """Put two Fibre Channel adapters in, each of which sees both of the array's ports."""

    def unplug(self, port: str) -> None:
        """Let no adapter see that port of the array any more."""

    def show(self, uid: str, size: int = GIB) -> None:
        """Put a volume on the array and map it here, over both portals."""

    def withdraw(self, uid: str) -> None:
        """Take its LUN away: every path says so."""

    def replace(self, uid: str) -> None:
        """Have another volume answer behind its LUN."""

    def silence(self, uid: str, path: int) -> None: ...
    def grow(self, uid: str, size: int) -> None: ...
    def lose_writes(self, uid: str) -> None: ...
    def no_map(self, *, again: bool = False) -> None:
        """Have multipathd make none, or make them again."""

    def keep_map_size(self, uid: str) -> None: ...
    def holds(self, uid: str, kind: str) -> None:
        """Put a file system on it; without a kind, data that is none."""

    def damage(self, uid: str) -> None: ...
    def break_mkfs(self) -> None:
        """Break the next format off."""

    def foreign_mount(self, uid: str) -> None:
        """Have a mount in another mount namespace."""

    def mount_by_hand(self, uid: str) -> None:
        """Have a mount elsewhere in the host's namespace."""

    def open_by_program(self, uid: str) -> None: ...
    def build_above(self, uid: str) -> None: ...
    def strange_mount(self, target: str) -> None: ...
    def open_files(self, target: str) -> None: ...
    def stop_file_system(self, uid: str, how: str) -> None:
        """As the kernel does: «shutdown», «emergency_ro», or «errors», which only a counter tells."""

    def freeze_by_hand(self, uid: str) -> None: ...
    def thaw_by_hand(self, uid: str) -> None: ...
    def is_frozen(self, uid: str) -> bool: ...
    def barrier_text(self) -> str | None: ...
    def spoil_plugin_directory(self) -> None:
        """Let nothing be written there."""


class Node:
    """A world with a connection, and requests by what they are about."""

    def __init__(self, world: World) -> None:
        self.world, self._callers = world, [world.connect()]

    def connect(self) -> Caller:
        self._callers.append(self.world.connect())
        return self._callers[-1]

    def close(self) -> None:
        for caller in self._callers:
            caller.close()

    def call(self, verb: str, **parameters: Any) -> Answer:
        return self._callers[0].call(verb, **parameters)

    def device(self, uid: str = UID) -> str:
        folder = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts"
        return f"{self.world.root}/{folder}/{NAMES[uid]}"

    def pod(self, uid: str = UID, pod: str = POD) -> str:
        return f"{self.world.root}/pods/{pod}/volumes/inspur~instorage-flexvolume/{NAMES[uid]}"

    def paths(self, uid: str = UID, count: int = 2) -> list[dict[str, Any]]:
        return [{"portal": one, "target": IQN, "lun": LUNS[uid]} for one in PORTALS[:count]]

    def fc_paths(self, uid: str = UID, count: int = 2) -> list[dict[str, Any]]:
        return [{"target": one, "lun": LUNS[uid]} for one in PORTS[:count]]

    def attach_over_fc(self, uid: str = UID, **changed: Any) -> Answer:
        return self.attach(uid, **{"paths": [], "fc_paths": self.fc_paths(uid)} | changed)

    def attach(self, uid: str = UID, **changed: Any) -> Answer:
        return self.call("Attach", **{"uid": uid, "paths": self.paths(uid)} | changed)

    def detach(self, uid: str = UID, **changed: Any) -> Answer:
        return self.call("Detach", uid=uid, **changed)

    def mount(self, uid: str = UID, **changed: Any) -> Answer:
        return self.call("Mount", **{"uid": uid, "target": self.device(uid)} | changed)

    def bind(self, **changed: Any) -> Answer:
        return self.call("Bind", **{"uid": UID, "source": self.device(), "target": self.pod()} | changed)

    def unmount(self, target: str = "", *, unmapped: bool = False) -> Answer:
        return self.call("Unmount", target=target or self.device(), unmapped=unmapped)

    def inspect(self, uid: str = UID) -> Any:
        return self.call("Inspect", uid=uid).ok()

    def mounts(self, uid: str = UID) -> set[str]:
        return {mount.target for mount in self.inspect(uid).mounts}

    def attached(self, uid: str = UID) -> None:
        self.world.show(uid)
        self.attach(uid).ok()

    def mounted(self, uid: str = UID, **changed: Any) -> None:
        self.attached(uid)
        self.mount(uid, **changed).ok()


def until(look: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found
