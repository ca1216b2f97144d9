"""One connection of the agent, served by a process of its own: a crash or a hang hurts one caller only."""

import contextlib
import ctypes
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

from helper import child, iscsi, journal
from helper.attach import attach
from helper.barrier import barrier
from helper.bind import bind
from helper.detach import detach
from helper.freeze import Freezer
from helper.growth import grow_filesystem, rescan
from helper.hostlock import HostLock
from helper.inventory import inspect
from helper.mount import mount
from helper.settings import Settings
from helper.unmount import unmount
from instorage.wire.fault import Code, Fault
from instorage.wire.interface import INTERFACE, VERBS
from instorage.wire.record import from_json, to_json
from instorage.wire.varlink import Stream

SERVICE = "org.varlink.service"
_INFO = {
    **{"vendor": "InStorage for Kubernetes", "product": "instorage-helper", "version": "3"},
    "url": "https://github.com/inspur/instorage-k8s",
    "interfaces": [SERVICE, INTERFACE],
}
_Verb = Callable[[Any, Settings], Any]
_VERBS: dict[str, _Verb] = {
    "Initiator": lambda *_: iscsi.initiator(),
    **{"Attach": attach, "Detach": detach, "Mount": mount, "Bind": bind, "Unmount": unmount},
    **{"Leave": iscsi.leave_gone, "Rescan": rescan, "GrowFilesystem": grow_filesystem, "Barrier": barrier},
}
_SEND = 10  # seconds for the agent to take an answer
_IDLE = 86400  # seconds
_PARENT_DEATH_SIGNAL = 1
_LONGEST = 3_600_000  # milliseconds that a message may ask for


class Unknown(Exception):
    """An error of the varlink standard, with its one parameter."""


class Worker:
    """Serves one connection until its end, and keeps the host lock for it."""

    def __init__(self, connection: socket.socket, settings: Settings) -> None:
        self._stream, self._lock = Stream(connection), HostLock(settings.lock_path)
        self._settings, self._freezer = settings, Freezer(settings)
        self._verbs: dict[str, _Verb] = _VERBS | {
            **{"Freeze": self._freezer.freeze, "Thaw": self._freezer.thaw},
            **{"Lock": self._lock.take, "Unlock": self._lock.give_up},
        }
        self._busy = self._stopping = False
        child.PRIVATE.add(connection.fileno())
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        """End after the verb that is under way: a broken-off mkfs helps nobody."""
        self._stopping = True
        if not self._busy:
            self._freezer.end()
            os._exit(0)

    def serve(self) -> None:
        """Answer calls until the agent closes the connection or breaks the protocol."""
        try:
            while not self._stopping and (call := self._next()) is not None:
                self._busy = call.get("method") != f"{INTERFACE}.Lock"  # which may be waited for for long
                self._answer(call)
                self._busy = False
        except Fault as fault:  # no message: whatever follows cannot be understood either
            self._send(refusal(fault))
        finally:
            self._freezer.end()

    def _next(self) -> dict[str, Any] | None:
        """Wait for a call; the host lock goes when its lease ends before one comes."""
        if self._lock.until is not None:
            with contextlib.suppress(TimeoutError):
                return self._stream.receive(self._lock.until)
            self._lock.drop()
        return self._stream.receive(time.monotonic() + _IDLE)

    def _send(self, message: dict[str, object]) -> None:
        self._stream.send(message, time.monotonic() + _SEND)

    def _answer(self, call: dict[str, Any]) -> None:
        method, parameters = call.get("method"), call.get("parameters", {})
        if not isinstance(method, str) or not isinstance(parameters, dict) or call.get("upgrade"):
            raise Fault(Code.PROTOCOL, "A message is not a varlink call, or wants to upgrade the connection.")
        try:
            replies = self._call(method, parameters, more=call.get("more") is True)
            answers: list[dict[str, object]] = [{"parameters": reply, "continues": True} for reply in replies]
            del answers[-1]["continues"]
        except Unknown as unknown:
            name, parameter, value = unknown.args
            answers = [{"error": f"{SERVICE}.{name}", "parameters": {parameter: value[:200]}}]
        except Fault as fault:
            answers = [refusal(fault)]
        for answer in answers if call.get("oneway") is not True else ():
            self._send(answer)

    def _call(self, method: str, parameters: dict[str, Any], *, more: bool) -> list[dict[str, Any]]:
        interface, _, verb = method.rpartition(".")
        if method == f"{SERVICE}.GetInfo":
            return [_INFO]
        if method == f"{SERVICE}.GetInterfaceDescription":
            interface, verb = str(parameters.get("interface")), ""
        if interface not in (INTERFACE, SERVICE) or (not verb and interface == SERVICE):
            raise Unknown("InterfaceNotFound", "interface", interface)
        if not verb:
            with open(f"{os.path.dirname(__file__)}/{INTERFACE}.varlink", encoding="utf-8") as text:
                return [{"description": text.read()}]
        if interface == SERVICE or verb not in VERBS:
            raise Unknown("MethodNotFound", "method", method)
        return self._run(verb, parameters, more=more)

    def _run(self, verb: str, parameters: dict[str, Any], *, more: bool) -> list[dict[str, Any]]:
        """Run a verb and write its record; what was not foreseen becomes `Fault(INTERNAL)`."""
        begun, outcome = time.monotonic(), "ok"
        request: Any = None
        try:
            request = from_json(VERBS[verb][0], parameters)
            journal.request = request.op
            if not all(0 <= getattr(request, name, 0) <= _LONGEST for name in ("wait_ms", "lease_ms")):
                raise Fault(Code.BAD_REQUEST, f"A time is not between 0 and {_LONGEST} ms.", field="wait_ms")
            if self._lock.until is not None and begun > self._lock.until:
                raise Fault(Code.LOCK_LOST, "The lease of the host lock ran out: close this connection.")
            if verb == "Inspect":
                return [to_json(reply) for reply in inspect(request, self._settings, more=more)]
            return [to_json(self._verbs[verb](request, self._settings))]
        except Fault as fault:
            outcome = f"{fault.code}: {fault}"
            raise
        except Exception as error:
            outcome = f"internal: {traceback.format_exc()}"
            text = f"{verb} failed in a way that was not foreseen ({error!r}): see the helper's journal."
            raise Fault(Code.INTERNAL, text) from error
        finally:
            journal.verb(verb, request or parameters, outcome, begun)


def refusal(fault: Fault) -> dict[str, object]:
    """Return the message that carries a fault."""
    return {"error": f"{INTERFACE}.Fault", "parameters": fault.to_wire()}


def end_with(parent: int) -> None:
    """Have the kernel ask this process to stop when its parent ends, however that ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has ended meanwhile
        os.kill(os.getpid(), signal.SIGTERM)
