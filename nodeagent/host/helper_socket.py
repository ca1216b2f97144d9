"""The root helper's socket: connected to with patience, and the sentence when it cannot be."""

from __future__ import annotations

import socket
import time

from instorage.wire.fault import Code, Fault

LOOK = "look at «systemctl status instorage-helper.socket» and «journalctl -u instorage-helper»"
CONNECT_SECONDS = 10.0  # a cold helper under load


def connect(path: str) -> socket.socket:
    """Return a connection to the helper; `Fault(HELPER_UNREACHABLE)` when there is none to be had."""
    deadline = time.monotonic() + CONNECT_SECONDS
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        while True:
            try:
                connection.settimeout(CONNECT_SECONDS)
                connection.connect(path)
                return connection
            except BlockingIOError:  # the backlog is full for a moment
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    except OSError as error:
        connection.close()
        raise unreachable(path, str(error)) from None


def unreachable(path: str, why: str) -> Fault:
    """Return the fault of a helper that does not answer, with where to look."""
    return Fault(
        Code.HELPER_UNREACHABLE,
        f"The root helper cannot be reached at {path} ({why}): {LOOK}.",
        socket=path,
        unit="instorage-helper.socket",
    )
