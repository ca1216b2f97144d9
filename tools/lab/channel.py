"""The command channel: one connection to the guest's agent, many requests at once.

JSON lines over a virtio serial port. A request is `{"id", "op", ...}`, an answer `{"id", ...}`; the agent
greets with `{"boot": ID}` when it starts. Bytes are in base64.
"""

import base64
import contextlib
import json
import socket
import struct
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.lab.fault import LabFault

GRACE = 15.0  # seconds that an answer may take beyond the command's own limit: the guest is slow
FIRST_PATIENCE = 0.5
SEND_LIMIT = 60  # seconds until a guest that reads nothing is given up


@dataclass(frozen=True)
class Result:
    """What a command in a machine gave. `seconds` as measured in the guest."""

    command: str
    exit_status: int
    stdout: str
    stderr: str
    seconds: float


class CommandFailed(LabFault):
    """A command in a machine failed or ran out of time; `result` has its output."""

    def __init__(self, machine: str, result: Result, *, timed_out: bool) -> None:
        how = f"took over {result.seconds:.0f} s" if timed_out else f"exit status {result.exit_status}"
        text = f"{machine}: {result.command!r}: {how}\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
        super().__init__("lab-command-failed", text)
        self.result = result
        self.timed_out = timed_out


class Channel:
    """A connection to the agent in one machine; safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Connect, or raise OSError."""
        self._socket = socket.socket(socket.AF_UNIX)
        limit = struct.pack("@ll", SEND_LIMIT, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._state = threading.Condition()
        self._sending = threading.Lock()
        self._pending: dict[int, Future[dict[str, Any]]] = {}
        self._next_id = 0
        self._boot = ""
        self._open = True
        self._reader = threading.Thread(target=self._read, name=f"channel {path.parent.name}", daemon=True)
        self._reader.start()

    @property
    def boot(self) -> str:
        """The boot identifier that the agent last named, "" before."""
        return self._boot

    def call(self, op: str, limit: float, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        """Ask the agent and return its answer; `limit` in seconds."""
        number, future = self._send(op, fields)
        try:
            return future.result(limit)
        except FutureTimeout:
            raise LabFault("lab-no-answer", f"no answer to {op!r} within {limit:.0f} s.") from None
        finally:
            with self._state:
                self._pending.pop(number, None)

    def post(self, op: str, **fields: Any) -> None:  # noqa: ANN401  JSON
        """Ask the agent for something that it may not live to answer."""
        self._send(op, fields)

    def wait_answer(self, limit: float) -> None:
        """Wait until the agent answers; `limit` in seconds."""
        end = time.monotonic() + limit
        patience = FIRST_PATIENCE
        while True:
            # what was sent while the guest's end was not open may be lost: ask again and again
            try:
                self._note_boot(str(self.call("ping", min(patience, limit))["boot"]))
                return
            except LabFault:
                if not self._open or time.monotonic() > end:
                    raise
            patience *= 2

    def wait_other_boot(self, boot: str, limit: float) -> None:
        """Wait until an agent of another boot greets; `limit` in seconds."""
        with self._state:
            if (
                not self._state.wait_for(lambda: self._boot != boot or not self._open, limit)
                or not self._open
            ):
                raise LabFault("lab-no-answer", f"no new boot within {limit:.0f} s.")

    def close(self) -> None:
        """Close the connection; calls under way fail."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(10)
        self._socket.close()

    def _send(self, op: str, fields: dict[str, Any]) -> tuple[int, Future[dict[str, Any]]]:
        future: Future[dict[str, Any]] = Future()
        with self._state:
            if not self._open:
                raise LabFault("lab-machine-gone", "the machine is not running; reload() gives a fresh one.")
            self._next_id += 1
            number = self._next_id
            self._pending[number] = future
        # the leading newline ends whatever half line the guest may have got before
        line = b"\n" + json.dumps({"id": number, "op": op, **fields}).encode() + b"\n"
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError as error:
            raise LabFault("lab-no-answer", f"{op!r} could not be sent: {error}.") from None
        return number, future

    def _read(self) -> None:
        rest = bytearray()
        with contextlib.suppress(OSError):
            while data := self._socket.recv(1 << 20):
                rest += data
                *lines, rest = rest.split(b"\n") if b"\n" in data else [rest]
                for line in lines:
                    self._take(bytes(line))
        with self._state:
            self._open = False
            self._state.notify_all()
        self._fail_pending("lab-machine-gone", "the machine ended.")

    def _take(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            return  # the end of a line that a reset cut
        if "id" not in answer:
            self._fail_pending("lab-machine-rebooted", "the machine rebooted, or its agent was restarted.")
            self._note_boot(answer["boot"])
            return
        with self._state:
            future = self._pending.pop(answer["id"], None)
        if future is not None:
            future.set_result(answer)

    def _note_boot(self, boot: str) -> None:
        with self._state:
            self._boot = boot
            self._state.notify_all()

    def _fail_pending(self, code: str, sentence: str) -> None:
        with self._state:
            pending, self._pending = self._pending, {}
        for future in pending.values():
            future.set_exception(LabFault(code, sentence))


def encode(data: bytes) -> str:
    """Return bytes as they travel in JSON."""
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Return the bytes of `encode`."""
    return base64.b64decode(text)
