"""Commands to one array over one persistent connection, bounded in number, each with a deadline."""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from instorage import operation, trail
from instorage.arrays.as18000.session import fault
from instorage.arrays.as18000.session.connection import Connection, Crowded, NotSent
from instorage.arrays.as18000.session.host_keys import HostKeyFile
from instorage.arrays.as18000.session.limiter import again
from instorage.arrays.as18000.session.opening import Opening
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instorage.arrays.as18000.session.refusal import Output
    from instorage.arrays.endpoint import Endpoint, Limits

ATTEMPTS = 3  # at giving a command to a connection
log = logging.getLogger("instorage.arrays")


class Ssh:
    """The one connection of this process to an array; thread-safe.

    It is made by the first command, closed when idle, and made again by the next one. All threads that wait
    for a connection attempt share its failure: a dead array costs each of them one attempt, not one after
    another.
    """

    def __init__(self, endpoint: Endpoint, known_hosts: Path, limits: Limits) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._opening = Opening(endpoint, HostKeyFile(known_hosts), limits)
        self._slots = threading.BoundedSemaphore(limits.channels)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._failed = 0  # attempts at a connection that failed of the array, not of a caller's deadline
        self._failure: Fault | None = None
        self._closed = 0  # times

    def run(self, command: str, patience: float, before: Callable[[], None] = lambda: None) -> Output:
        """Run a command for at most `patience` seconds, waiting as long again for one of the channels.

        For a connection to a full array it waits until the call's deadline. Who cannot connect waits for no
        channel: those behind a dead array would take it in turns of eight. `before` is called directly before
        the command is sent, and keeps it from that by a fault.

        `Lost` when it may have been done; the faults of `Opening`; TIMEOUT when no channel became free or the
        request's time is over.
        """
        until = time.monotonic() + operation.left(self._limits.call)
        self._usable(command, until)
        if not self._slots.acquire(timeout=max(0.0, operation.left(patience))):
            raise self._opening.full or self._busy(command)
        try:
            return self._run(command, patience, before, until)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the connection, and give one up that is being made; the next command makes a new one."""
        self._closed += 1
        self._opening.stop()
        while not self._lock.acquire(timeout=0.05):  # an attempt may just have begun
            self._opening.stop()
        try:
            connection, self._connection = self._connection, None
        finally:
            self._lock.release()
        if connection is not None:
            connection.close()

    def _run(self, command: str, patience: float, before: Callable[[], None], until: float) -> Output:
        deadline = time.monotonic() + operation.left(patience)
        failures = 0
        while True:
            try:
                connection, made = self._usable(command, until)
                if made:
                    deadline = time.monotonic() + operation.left(patience)
                if time.monotonic() >= deadline:
                    raise self._busy(command)
                return connection.run(command, deadline, before)
            except Crowded as error:
                if time.monotonic() >= deadline:
                    raise self._busy(command) from error
            except NotSent as error:
                failures += 1
                log.debug("array %s: %s", self._endpoint.name, error, extra=operation.extra())
                if failures == ATTEMPTS or time.monotonic() >= deadline:
                    why = f"the connection does not last ({error})"
                    raise fault.unreachable(self._endpoint, why) from error
                if failures == 1:
                    continue  # an idle connection had been closed
            time.sleep(random.uniform(0.02, 0.1) * 2**failures)

    def _usable(self, command: str, until: float) -> tuple[Connection, bool]:
        """Return the connection, and whether it was waited for."""
        connection = self._connection
        if connection is not None and connection.usable:
            return connection, False
        failed, closed = self._failed, self._closed
        waiting = trail.timed(trail.Kind.WAIT, f"a connection to array {self._endpoint.name}")
        with waiting, self._turn(command, until):
            if self._closed != closed:
                raise fault.ended(self._endpoint)
            if self._connection is not None and self._connection.usable:
                return self._connection, True
            if self._failure is not None and self._failed != failed:
                raise again(self._failure)
            before, self._connection = self._connection, None
            if before is not None:
                before.retire()
            self._connection = self._made(until, lost=before is not None and not before.rested)
            return self._connection, True

    @contextmanager
    def _turn(self, command: str, until: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise self._opening.full or self._busy(command)
        try:
            yield
        finally:
            self._lock.release()

    def _made(self, until: float, *, lost: bool) -> Connection:
        try:
            connection = self._opening.connection(until, lost=lost)
        except Fault as failure:
            if failure.code is not Code.ARRAY_SESSIONS and time.monotonic() < until:
                self._failed += 1
                self._failure = failure
            raise
        self._failure = None
        return connection

    def _busy(self, command: str) -> Fault:
        return Fault(
            Code.TIMEOUT,
            f"Array {self._endpoint.name} is busy or slow: «{command}» could not be sent in time. "
            "See the load of the array, and how many volumes are attached at the same time.",
            array=self._endpoint.name,
            command=command,
        )
