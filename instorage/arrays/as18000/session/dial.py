"""TCP to an array: each address of its name in turn, so that a dead one does not hide a living one."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from instorage.arrays.as18000.session.fault import unreachable

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.attempt import Attempt
    from instorage.arrays.endpoint import Endpoint

PATIENCE = 3.0  # seconds for an address that is not the last: two repetitions of the kernel's first packet
_LOOK = 0.1  # how often an attempt that ended is noticed
_VANISHED = 30_000  # ms: a peer that is gone is noticed in half a minute, not in a quarter of an hour


class Address(NamedTuple):
    """One address of a name, as the resolver gives it."""

    family: socket.AddressFamily
    place: tuple[Any, ...]


class Dial:
    """Connects to one array, first to the address that answered last."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._good: Address | None = None

    def connect(self, attempt: Attempt, deadline: float) -> socket.socket:
        """Return a connected socket before `deadline` (monotonic seconds); ARRAY_UNREACHABLE, `Ended`."""
        addresses = sorted(self._resolved(attempt, deadline), key=lambda address: address != self._good)
        failures: list[str] = []
        for number, address in enumerate(addresses):
            last = number == len(addresses) - 1
            until = deadline if last else min(deadline, time.monotonic() + PATIENCE)
            try:
                connection = _connected(address, attempt, until)
            except OSError as error:
                why = error.strerror or str(error) or "no answer"
                failures.append(f"{address.place[0]}: {why}" if len(addresses) > 1 else why)
            else:
                self._good = address
                return connection
        raise unreachable(self._endpoint, "; ".join(failures) or "its name has no address")

    def _resolved(self, attempt: Attempt, deadline: float) -> list[Address]:
        """Ask the resolver, which nothing can interrupt, in a thread that can be left to itself."""
        try:
            return self._asked(socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # a name
        answers: SimpleQueue[list[Address] | OSError] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._asked(0))
            except OSError as error:
                answers.put(error)

        threading.Thread(target=ask, name="array-resolver", daemon=True).start()
        found = None
        while found is None:
            attempt.pause(0.0)
            if time.monotonic() >= deadline:
                raise unreachable(self._endpoint, "its name was not resolved in time")
            with contextlib.suppress(Empty):
                found = answers.get(timeout=_LOOK)
        if isinstance(found, OSError):
            raise unreachable(self._endpoint, found.strerror or str(found)) from found
        return found

    def _asked(self, flags: int) -> list[Address]:
        endpoint = self._endpoint
        kind = socket.SOCK_STREAM
        try:
            found = socket.getaddrinfo(endpoint.address, endpoint.port, type=kind, flags=flags)
        except UnicodeError as error:  # a label of more than 63 characters
            raise socket.gaierror(socket.EAI_NONAME, f"no host name ({error})") from error
        return [Address(family, place) for family, _, _, _, place in found]


def _connected(address: Address, attempt: Attempt, until: float) -> socket.socket:
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            connection.connect(address.place)
        _await(connection, attempt, until)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED)
        attempt.holds(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _await(connection: socket.socket, attempt: Attempt, until: float) -> None:
    """Wait until the connect is through; OSError with its reason, `Ended`."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    while not poll.poll(max(0.0, min(_LOOK, until - time.monotonic())) * 1000):
        attempt.pause(0.0)
        if time.monotonic() >= until:
            raise OSError(errno.ETIMEDOUT, "no answer")
    failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        raise OSError(failed, os.strerror(failed))
