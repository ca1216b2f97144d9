"""The data plane of another machine, asked over a unix socket that leads to its virtio port.

JSON lines: `{"id": ID, "do": VERB, "with": {...}}`, answered by `{"id": ID, "ok": RESULT}` or
`{"id": ID, "error": TEXT}`.
The peer is simulator.dataplane.server. Answers to questions of an earlier connection are passed over. Every
verb can be repeated, so a question on a connection that broke (the machine was replaced) is asked once more.
"""

import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulator.dataplane.plane import DataPlaneError, FcTarget, Inventory, Lun, Target

TIMEOUT = 20.0


class RemoteDataPlane:
    """Asks one question at a time; connects anew after a failure. Thread safe."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._buffer = b""

    def open(self, targets: Sequence[Target], ports: Sequence[FcTarget] = ()) -> None:
        """See DataPlane."""
        told = [asdict(target) for target in targets]
        self._ask("open", targets=told, ports=[asdict(port) for port in ports])

    def admit(self, initiator: str) -> None:
        """See DataPlane."""
        self._ask("admit", initiator=initiator)

    def expel(self, initiator: str) -> None:
        """See DataPlane."""
        self._ask("expel", initiator=initiator)

    def map(self, uid: str, size: int, initiator: str, lun: int) -> None:
        """See DataPlane."""
        self._ask("map", uid=uid, size=size, initiator=initiator, lun=lun)

    def unmap(self, initiator: str, lun: int) -> None:
        """See DataPlane."""
        self._ask("unmap", initiator=initiator, lun=lun)

    def delete(self, uid: str) -> None:
        """See DataPlane."""
        self._ask("delete", uid=uid)

    def resize(self, uid: str, size: int) -> None:
        """See DataPlane."""
        self._ask("resize", uid=uid, size=size)

    def usage(self) -> dict[str, int]:
        """See DataPlane."""
        return {str(uid): int(size) for uid, size in self._ask("usage").items()}

    def sessions(self) -> dict[str, list[int]]:
        """See DataPlane."""
        return {str(name): [int(n) for n in nodes] for name, nodes in self._ask("sessions").items()}

    def fabric(self) -> dict[str, list[str]]:
        """See DataPlane."""
        return {str(wwpn): [str(port) for port in ports] for wwpn, ports in self._ask("fabric").items()}

    def portal(self, node: int, *, up: bool) -> None:
        """See DataPlane."""
        self._ask("portal", node=node, up=up)

    def drop(self, initiator: str) -> None:
        """See DataPlane."""
        self._ask("drop", initiator=initiator)

    def inventory(self) -> Inventory:
        """See DataPlane."""
        told = self._ask("inventory")
        return Inventory(told["volumes"], told["initiators"], [Lun(**lun) for lun in told["luns"]])

    def close(self) -> None:
        """Let the connection go; the next question makes a new one."""
        with self._lock:
            self._disconnect()

    def _ask(self, verb: str, **arguments: Any) -> Any:  # noqa: ANN401
        question = uuid.uuid4().hex
        line = json.dumps({"id": question, "do": verb, "with": arguments}).encode() + b"\n"
        with self._lock:
            try:
                reply = self._exchange(question, line)
            except OSError as error:
                raise DataPlaneError(
                    f"{verb}: the data plane at {self._path} does not answer: {error}"
                ) from error
        if "error" in reply:
            raise DataPlaneError(f"{verb}: {reply['error']}")
        return reply["ok"]

    def _exchange(self, question: str, line: bytes) -> dict[str, Any]:
        """Send a question and wait for its reply; once more when an old connection turns out to be dead."""
        old = self._socket is not None
        try:
            return self._ask_once(question, line)
        except ConnectionError:
            if not old:
                raise
        return self._ask_once(question, line)

    def _ask_once(self, question: str, line: bytes) -> dict[str, Any]:
        try:
            connection = self._connected()
            connection.sendall(line)
            return self._reply(connection, question, time.monotonic() + self._timeout)
        except OSError:
            self._disconnect()
            raise

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.connect(str(self._path))
            self._buffer = b""
            self._socket.sendall(b"\n")  # ends half a line that an earlier connection may have left
        return self._socket

    def _disconnect(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None

    def _reply(self, connection: socket.socket, question: str, deadline: float) -> dict[str, Any]:
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                with contextlib.suppress(ValueError):
                    reply = json.loads(line)
                    if isinstance(reply, dict) and reply.get("id") == question:
                        return reply
                continue
            self._read_more(connection, deadline)

    def _read_more(self, connection: socket.socket, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no reply in time")
        connection.settimeout(left)
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError("connection closed")
        self._buffer += data
