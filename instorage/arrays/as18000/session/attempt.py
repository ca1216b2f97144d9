"""One attempt to get a connection: its waits and its socket, which another thread may end at once."""

from __future__ import annotations

import contextlib
import socket
import threading


class Ended(Exception):
    """Somebody does not want this connection any more."""


class Attempt:
    """What `end` wakes up: a pause, a connect, a handshake."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def ended(self) -> bool:
        """True once `end` was called: whatever fails then fails of that."""
        return self._ended.is_set()

    def pause(self, seconds: float) -> None:
        """Wait; `Ended`."""
        if self._ended.wait(seconds):
            raise Ended

    def holds(self, connection: socket.socket) -> None:
        """Remember a connected socket, whose conversation `end` breaks off; `Ended`."""
        with self._guard:
            if self._ended.is_set():
                raise Ended
            self._socket = connection

    def end(self) -> None:
        """End the attempt from another thread."""
        with self._guard:
            self._ended.set()
            if self._socket is not None:
                with contextlib.suppress(OSError):  # it has gone already
                    self._socket.shutdown(socket.SHUT_RDWR)
