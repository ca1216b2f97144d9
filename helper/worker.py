"""One connection of the agent, served by a process of its own: a crash or a hang hurts one caller only."""

import importlib.resources
import os
import signal
import socket
import time
import traceback
from typing import Any

from helper import child, iscsi
from helper.attach import attach
from helper.detach import detach
from helper.inventory import inspect
from helper.mount import bind, mount, unmount
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.record import from_json, to_json
from instorage.wire.varlink import Stream
from instorage.wire.verbs import INTERFACE, VERBS, Empty, LockReply, LockRequest
from systemd import journal

SERVICE = "org.varlink.service"
_SEND = 10  # seconds for the agent to take an answer
_IDLE = 86400  # seconds
_LONGEST = 3_600_000  # milliseconds that a message may ask for


class Unknown(Exception):
    """A varlink error of the standard, with its one parameter."""

    def __init__(self, error: str, **parameters: str) -> None:
        super().__init__(error)
        self.error = error
        self.parameters = parameters


class Worker:
    """Serves one connection until its end; `channel` leads to the supervisor, which keeps the host lock."""

    def __init__(self, connection: socket.socket, channel: socket.socket, settings: Settings) -> None:
        self._stream = Stream(connection)
        self._channel = Stream(channel)
        self._settings = settings
        self._lock_until: float | None = None  # monotonic seconds; None without the host lock
        self._busy = self._stopping = False
        child.PRIVATE.update((connection.fileno(), channel.fileno()))
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        """End after the verb that is under way: a broken-off mkfs helps nobody."""
        self._stopping = True
        if not self._busy:
            os._exit(0)

    def serve(self) -> None:
        """Answer calls until the agent closes the connection or breaks the protocol."""
        while not self._stopping:
            try:
                message = self._stream.receive(time.monotonic() + _IDLE)
                if message is None:
                    return
                self._busy = True
                self._answer(message)
                self._busy = False
            except Fault as fault:  # not a message: whatever follows cannot be understood either
                self._send({"error": f"{INTERFACE}.Fault", "parameters": fault.to_wire()})
                return
            except OSError:
                return

    def _send(self, message: dict[str, object]) -> None:
        self._stream.send(message, time.monotonic() + _SEND)

    def _answer(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("parameters", {})
        more, oneway = message.get("more") is True, message.get("oneway") is True
        if not isinstance(method, str) or message.get("upgrade"):
            raise Fault(Code.PROTOCOL, "A message is not a varlink call, or wants to upgrade the connection.")
        try:
            answers = self._call(method, parameters, more=more)
        except Unknown as unknown:
            last: dict[str, object] = {"error": unknown.error, "parameters": unknown.parameters}
            answers = []
        except Fault as fault:
            last = {"error": f"{INTERFACE}.Fault", "parameters": fault.to_wire()}
            answers = []
        else:
            last = {"parameters": answers.pop()}
        if not oneway:
            for answer in answers:
                self._send({"parameters": answer, "continues": True})
            self._send(last)

    def _call(self, method: str, parameters: object, *, more: bool) -> list[dict[str, object]]:
        interface, _, verb = method.rpartition(".")
        if interface == SERVICE and verb == "GetInfo":
            return [_INFO]
        if interface == SERVICE and verb == "GetInterfaceDescription":
            asked = parameters.get("interface") if isinstance(parameters, dict) else None
            if asked != INTERFACE:
                raise Unknown(f"{SERVICE}.InterfaceNotFound", interface=str(asked)[:200])
            return [{"description": interface_text()}]
        if interface not in (INTERFACE, SERVICE):
            raise Unknown(f"{SERVICE}.InterfaceNotFound", interface=interface[:200])
        if verb not in VERBS or interface == SERVICE:
            raise Unknown(f"{SERVICE}.MethodNotFound", method=method[:200])
        begun = time.monotonic()
        code, volume = "ok", ""
        request: Any = None
        try:
            request = from_json(VERBS[verb][0], parameters)
            _in_bounds(request)
            replies = self._do(verb, request, more=more)
            return [to_json(reply) for reply in replies]
        except Fault as fault:
            code, volume = f"{fault.code}: {fault}", str(fault.fields.get("uid", ""))
            raise
        except Exception as error:
            code = f"internal: {traceback.format_exc()}"
            raise Fault(Code.INTERNAL, f"{verb} failed in a way that was not foreseen: {error!r}.") from error
        finally:
            _audit(verb, request, volume, code, time.monotonic() - begun)

    def _do(self, verb: str, request: Any, *, more: bool) -> list[Any]:  # noqa: ANN401
        if self._lock_until is not None and time.monotonic() > self._lock_until:
            raise Fault(
                Code.LOCK_LOST, "The lease of the host lock ran out: this connection is to be closed."
            )
        match verb:
            case "Initiator":
                return [iscsi.initiator()]
            case "Inspect":
                return [*inspect(request, more=more)]
            case "Lock":
                return [self._lock(request)]
            case "Unlock":
                return [self._unlock()]
            case "Attach":
                return [attach(request, self._settings)]
            case "Detach":
                return [detach(request, self._settings)]
            case "Mount":
                return [mount(request, self._settings)]
            case "Bind":
                return [bind(request, self._settings)]
            case _:
                return [unmount(request, self._settings)]

    def _lock(self, request: LockRequest) -> LockReply:
        deadline = time.monotonic() + request.wait_ms / 1000
        lease = request.lease_ms / 1000
        asked = time.monotonic()  # the supervisor's lease begins later, so this side's ends first
        claim = {"op": request.op, "mode": request.mode, "lease": lease, "deadline": int(deadline * 1000)}
        self._channel.send({"lock": claim}, deadline + _SEND)
        answer = self._channel.receive(deadline + _SEND)
        if answer is None or "code" in answer:
            raise Fault.from_wire(answer or {"code": "internal", "sentence": "The supervisor is gone."})
        self._lock_until = max(asked, answer["since"] / 1000) + lease
        return LockReply(not_locked=tuple(answer["not_locked"]))

    def _unlock(self) -> Empty:
        self._channel.send({"unlock": True}, time.monotonic() + _SEND)
        self._lock_until = None
        return Empty()


_INFO: dict[str, object] = {
    "vendor": "InStorage for Kubernetes",
    "product": "instorage-helper",
    "version": "3",
    "url": "https://github.com/inspur/instorage-k8s",
    "interfaces": [SERVICE, INTERFACE],
}


def interface_text() -> str:
    """Return the interface as varlink writes it."""
    return importlib.resources.files("helper").joinpath(f"{INTERFACE}.varlink").read_text(encoding="utf-8")


def _in_bounds(request: object) -> None:
    for name in ("wait_ms", "lease_ms"):
        if not 0 <= getattr(request, name, 0) <= _LONGEST:
            raise Fault(Code.BAD_REQUEST, f"{name} is not between 0 and {_LONGEST}.", field=name)


def _audit(verb: str, request: object, volume: str, outcome: str, seconds: float) -> None:
    """Write one journal record a verb; a newline in a value must not look like the end of a record."""
    op, uid = str(getattr(request, "op", "-")), str(getattr(request, "uid", None) or volume)
    target = str(getattr(request, "target", ""))
    text = f"{op} {verb} {uid} {target}: {outcome} ({seconds * 1000:.0f} ms)"
    journal.send(
        "".join(letter if letter.isprintable() else "�" for letter in text),
        INSTORAGE_OP=op,
        INSTORAGE_VERB=verb,
        INSTORAGE_VOLUME=uid,
        INSTORAGE_CODE=outcome.partition(":")[0],
        INSTORAGE_MS=f"{seconds * 1000:.0f}",
        PRIORITY="6" if outcome == "ok" else "4",
    )
