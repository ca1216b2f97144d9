"""One connection of the stub: its arguments, the progress and the answer sent to it (stub.c, THE WIRE)."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from nodeagent.operation.answer import Answer

CALL_LIMIT = 128 * 1024
READ_SECONDS = 10.0
SEND_SECONDS = 10.0
PROGRESS_BYTES = 190


def peer_uid(connection: socket.socket) -> int:
    """Return the uid that the kernel says the peer has."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


class Caller:
    """A connected stub. Progress never blocks: what it does not take at once waits for the answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._unsent = b""
        self._broken = False

    def arguments(self) -> list[str]:
        """Read argv until the end of input; `Fault(BAD_REQUEST)` for what is too long, too slow or broken."""
        deadline = time.monotonic() + READ_SECONDS
        data = b""
        while True:
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                piece = self._connection.recv(16384)
            except TimeoutError:
                raise Fault(Code.BAD_REQUEST, "The call did not come within 10 s.") from None
            if not piece:
                break
            data += piece
            if len(data) > CALL_LIMIT:
                raise Fault(Code.BAD_REQUEST, f"The call is longer than {CALL_LIMIT} bytes.")
        if not data.endswith(b"\0"):
            raise Fault(Code.BAD_REQUEST, "The call does not end with NUL.")
        try:
            return data[:-1].decode("utf-8").split("\0")
        except UnicodeDecodeError:
            raise Fault(Code.BAD_REQUEST, "The call is not UTF-8.") from None

    def progress(self, text: str) -> None:
        """Send the current phase if the stub takes it at once."""
        line = "".join(c if c.isprintable() else " " for c in text).encode()[:PROGRESS_BYTES]
        line = line.decode("utf-8", "ignore").encode()
        with self._guard:
            if len(self._unsent) < 4096 and not self._broken:
                self._unsent += b"P" + line + b"\n"
                self._flush()

    def _flush(self) -> None:
        try:
            sent = self._connection.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._broken = True  # the stub has left; the operation goes on

    def gone(self) -> bool:
        """Say whether the stub has closed its end (an end of input alone is its way to say «that is all»)."""
        poll = select.poll()
        with contextlib.suppress(OSError, ValueError):
            poll.register(self._connection, 0)
            return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
        return True

    def finish(self, answer: Answer) -> None:
        """Send the answer and close; a stub that has left is no error."""
        text = f"{answer.exit_status}{answer.text()}\n".encode()
        with self._guard, contextlib.suppress(OSError):
            self._connection.settimeout(SEND_SECONDS)
            self._connection.sendall(self._unsent + text)
            self._connection.shutdown(socket.SHUT_WR)
