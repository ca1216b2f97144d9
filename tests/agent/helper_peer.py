"""A scripted root helper: real varlink bytes on a real socket, and a kernel made of two dictionaries.

This one keeps the agent honest about order, locks and faults: it writes down every verb, refuses what the
true one refuses (tests/contract holds both to the same), and fails on command.
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

from instorage.wire.fault import Fault
from instorage.wire.interface import VERBS
from instorage.wire.record import from_json, to_json
from tests.agent.locking_peer import Session
from tests.agent.mounting_peer import MountingPeer
from tests.agent.peer_kernel import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INTERFACE = "io.inspur.instorage.Helper"
IQN = "iqn.1993-08.org.debian:01:node1"
_LONGEST = 3_600_000  # milliseconds that a message may ask for
_OF_A_SESSION = ("Lock", "Unlock", "Freeze", "Thaw")


@dataclass
class Script:
    """What happens to the next calls of one verb: a fault, a broken connection, a wait before the work."""

    fault: FaultError | None = None
    dies: bool = False
    gate: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)


class HelperPeer(MountingPeer):
    """The socket. `most`: connections that are served at a time; `busy_for`: so many more are refused."""

    def __init__(self, path: Path, seen: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(path.parent / "plugin/aa-extend-failure.barrier")
        self.path = path
        self.iqn: str | None = IQN
        self.wwpns: list[str] = []
        self.most, self.busy_for, self.refused = 40, 0, 0
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

    @property
    def connected(self) -> bool:
        """Whether somebody has a connection now."""
        return bool(self._connections)

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
            if self.busy_for > 0 or len(self._connections) >= self.most:
                self.busy_for -= self.busy_for > 0
                self.refused += 1
                _send(
                    connection, _refusal(FaultError("helper-busy", "It serves all that it may: ask again."))
                )
                connection.close()
                continue
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
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
            replies = self._obey(verb, message, session)
        except FaultError as error:
            _send(connection, _refusal(error))
            return
        for number, one in enumerate(replies, 1):
            _send(connection, {"parameters": one} | ({"continues": True} if number < len(replies) else {}))

    def _obey(self, verb: str, message: dict[str, Any], session: Session) -> list[dict[str, Any]]:
        try:
            parameters = to_json(from_json(VERBS[verb][0], message["parameters"]))
        except Fault as fault:
            raise FaultError(fault.code.value, fault.sentence) from None
        if not all(0 <= int(str(parameters.get(name, 0))) <= _LONGEST for name in ("wait_ms", "lease_ms")):
            raise FaultError("bad-request", f"A time is not between 0 and {_LONGEST} ms.")
        if session.lost:
            raise FaultError("lock-lost", "The lease of the host lock ran out: close this connection.")
        if verb == "Inspect":
            return self.do_inspect(parameters, more=message.get("more") is True)
        own = (session,) if verb in _OF_A_SESSION else ()
        return [getattr(self, f"do_{verb.lower()}")(parameters, *own)]


def _refusal(error: FaultError) -> dict[str, Any]:
    return {"error": f"{INTERFACE}.Fault", "parameters": error.parameters}


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\0")
