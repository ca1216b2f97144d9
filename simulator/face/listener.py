"""The SSH server: listening sockets (TCP or unix), host key, the connections that are open."""

import contextlib
import errno
import socket
import threading
import time
from pathlib import Path

from simulator.face.algorithms import Offer
from simulator.face.interpreter import Interpreter
from simulator.face.limits import Gate, Limits
from simulator.face.ssh import Access, Connection
from simulator.instruments.counters import Counters

BACKLOG = 128


class SshServer:
    """Accepts connections on every address; a thread for each."""

    def __init__(
        self,
        directory: Path,
        offer: Offer,
        access: Access,
        limits: Limits,
        interpreter: Interpreter,
        counters: Counters,
    ) -> None:
        self.key = offer.host_key(directory)
        self._offer = offer
        self.access = access
        self._gate = Gate(limits, counters)
        self._interpreter = interpreter
        self._counters = counters
        self._listeners: list[socket.socket] = []
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def listen(self, address: str) -> str:
        """Listen on `host:port` (port 0: any) or `unix:PATH`; returns the address in the same form."""
        listener = _bound(address)
        listener.listen(BACKLOG)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        if address.startswith("unix:"):
            return address
        host, port = listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def drop_connections(self) -> int:
        """Close every open connection without a word; returns how many there were."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()
        return len(connections)

    def stop(self) -> None:
        """Stop listening and drop all connections."""
        self._stopping = True
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop_connections()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping:
            try:
                sock, _ = listener.accept()
            except OSError as error:
                if error.errno != errno.EMFILE:
                    return
                time.sleep(0.05)  # hundreds of clients in one process: the next will find room
                continue
            if self._gate.arrive():
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
            else:
                sock.close()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(self.access, self._gate, self._interpreter, self._counters)
        with self._lock:
            self._connections.add(connection)
        self._counters.enter("connections")
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.serve(sock, self.key, self._offer)
        finally:
            sock.close()
            self._counters.leave("connections")
            with self._lock:
                self._connections.discard(connection)


def _bound(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        return listener
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), int(port)))
    return listener
