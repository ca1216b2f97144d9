"""Commands to one array over one persistent connection, bounded in number, each with a deadline."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.session.connection import Connection, Crowded, NotSent
from instorage.arrays.as18000.session.host_keys import HostKeyFile
from instorage.arrays.as18000.session.limiter import ConnectionLimiter, Lockout, again
from instorage.arrays.as18000.session.login import Dropped, login, unreachable
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.as18000.session.refusal import Output
    from instorage.arrays.endpoint import Endpoint, Limits

ATTEMPTS = 3  # at a connection, and at giving a command to one
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
        self._pins = HostKeyFile(known_hosts)
        self._slots = threading.BoundedSemaphore(limits.channels)
        self._limiter = ConnectionLimiter(limits.spacing)
        self._lockout = Lockout()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._failed = 0  # connection attempts
        self._failure: Fault | None = None

    def run(self, command: str, patience: float, before: Callable[[], None] = lambda: None) -> Output:
        """Run a command for at most `patience` seconds, waiting as long again for one of the channels.

        Who cannot connect waits for no channel: those behind a dead array would take it in turns of eight.
        `before` is called directly before the command is sent, and keeps it from that by a fault.

        `Lost` when it may have been done; the faults of `login`; TIMEOUT when no channel became free or the
        request's time is over.
        """
        self._usable()
        if not self._slots.acquire(timeout=max(0.0, operation.left(patience))):
            raise self._busy(command)
        try:
            return self._run(command, patience, before)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the connection; the next command makes a new one."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run(self, command: str, patience: float, before: Callable[[], None]) -> Output:
        deadline = time.monotonic() + operation.left(patience)
        failures = 0
        while True:
            try:
                connection = self._usable()
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
                    raise unreachable(self._endpoint, f"the connection does not last ({error})") from error
                if failures == 1:
                    continue  # an idle connection had been closed
            time.sleep(random.uniform(0.02, 0.1) * 2**failures)

    def _usable(self) -> Connection:
        seen = self._failed
        with self._lock:
            if self._connection is not None and self._connection.usable:
                return self._connection
            if self._failure is not None and self._failed != seen:
                raise again(self._failure)
            before, self._connection = self._connection, None
            if before is not None:
                before.retire()
            try:
                self._connection = self._connect(failures=1 if before is not None else 0)
            except Fault as fault:
                self._failed += 1
                self._failure = fault
                raise
            self._failure = None
            return self._connection

    def _connect(self, failures: int) -> Connection:
        password = self._endpoint.password()
        self._lockout.check(password)
        deadline = time.monotonic() + self._limits.connect
        for attempt in range(ATTEMPTS):
            self._limiter.wait(failures + attempt)
            try:
                transport = login(self._endpoint, self._pins, password, deadline)
            except Dropped as dropped:
                why = str(dropped)
                if time.monotonic() >= deadline:
                    break
            except Fault as fault:
                if fault.code is Code.ARRAY_AUTHENTICATION:
                    self._lockout.refused(password, fault)
                raise
            else:
                self._lockout.passed()
                log.info(
                    "array %s: connected to %s",
                    self._endpoint.name,
                    self._endpoint.place,
                    extra=operation.extra(),
                )
                return Connection(transport, self._limits.idle)
        raise unreachable(self._endpoint, f"the SSH connection is dropped before the login ({why})")

    def _busy(self, command: str) -> Fault:
        return Fault(
            Code.TIMEOUT,
            f"Array {self._endpoint.name} is busy or slow: «{command}» could not be sent in time. "
            "See the load of the array, and how many volumes are attached at the same time.",
            array=self._endpoint.name,
            command=command,
        )
