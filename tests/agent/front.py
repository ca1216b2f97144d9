"""What stands before an array: its management network, which a test takes away in one of two ways."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from enum import Enum

ISCSI_PORT = 3260
BACKLOG = 8  # of a machine that hangs: the kernel answers so many more, then swallows the packets
_LOOK = 0.1


class Way(Enum):
    """How the array is reached now."""

    OPEN = "open"
    REFUSES = "refuses"
    """Nothing listens: the kernel refuses each connection at once, and those that were have ended."""
    SWALLOWS = "swallows"
    """A listening socket that never answers; what is sent on older connections goes nowhere."""


class Front:
    """Passes connections on to `behind` (host, port) while the way is open. `port` stays the same."""

    def __init__(self, behind: tuple[str, int]) -> None:
        self._behind = behind
        self._way = Way.OPEN
        self._sockets: set[socket.socket] = set()
        self._kept = _reserved()  # nobody else gets the port while nothing listens there
        self.port: int = self._kept.getsockname()[1]
        self._listener = self._listen()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def become(self, way: Way) -> None:
        """Change the way; back to open, the connections of before have ended."""
        self._way = way
        if way is not Way.SWALLOWS:
            self._drop()
        if way is Way.REFUSES:
            with contextlib.suppress(OSError):  # it does so already
                self._listener.shutdown(socket.SHUT_RDWR)  # close alone waits for who looks at it in _accept
            self._listener.close()
        elif self._listener.fileno() < 0:
            self._listener = self._listen()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(5)
        self._listener.close()
        self._kept.close()
        self._drop()

    def _listen(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)

    def _accept(self) -> None:
        while not self._stopping:
            if self._way is not Way.OPEN:
                time.sleep(_LOOK)
                continue
            with contextlib.suppress(OSError, ValueError):
                if select.select([self._listener], [], [], _LOOK)[0] and self._way is Way.OPEN:
                    self._pass_on(self._listener.accept()[0])

    def _pass_on(self, near: socket.socket) -> None:
        far = socket.create_connection(self._behind)
        self._sockets |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._way is Way.OPEN:
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()


class Portals:
    """Addresses on which who connects is taken and let go, however often (a backlog alone would fill)."""

    def __init__(self, *addresses: str) -> None:
        self._listeners = [socket.create_server((address, ISCSI_PORT), backlog=64) for address in addresses]
        self.named = {number: f"{address}:{ISCSI_PORT}" for number, address in enumerate(addresses, start=1)}
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    def stop(self) -> None:
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _reserved() -> socket.socket:
    """Bind a free port without listening: who connects is refused, and nobody else is given the port."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept
