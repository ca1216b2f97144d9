"""How a process gets its connection to an array: in turn, with a password that may be sent, in time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.session import fault, legacy
from instorage.arrays.as18000.session.attempt import Attempt, Ended
from instorage.arrays.as18000.session.connection import Connection, Full, first_channel
from instorage.arrays.as18000.session.dial import Dial
from instorage.arrays.as18000.session.limiter import ConnectionLimiter, Crowd, Lockout
from instorage.arrays.as18000.session.login import Dropped, login
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.host_keys import HostKeyFile
    from instorage.arrays.endpoint import Endpoint, Limits

LAST = 0.5  # seconds: with less left there is no further attempt
log = logging.getLogger("instorage.arrays")


class Opening:
    """Makes the connections of one client, one at a time; `stop` may come from any thread."""

    def __init__(self, endpoint: Endpoint, pins: HostKeyFile, limits: Limits) -> None:
        self._endpoint = endpoint
        self._pins = pins
        self._limits = limits
        self._dial = Dial(endpoint)
        self._limiter = ConnectionLimiter(limits.spacing)
        self._lockout = Lockout()
        self._attempt: Attempt | None = None
        self._full_since: float | None = None

    @property
    def full(self) -> Fault | None:
        """Return what to say while a full array is waited for."""
        since = self._full_since
        return None if since is None else fault.full(self._endpoint, time.monotonic() - since)

    def connection(self, until: float, *, lost: bool) -> Connection:
        """Return a new connection; a full array is waited for until `until` (monotonic seconds).

        `lost`: another one broke before. ARRAY_UNREACHABLE, ARRAY_SESSIONS, the faults of `login`.
        """
        password = self._endpoint.password()
        self._lockout.check(password)
        attempt = self._attempt = Attempt()
        try:
            return self._persistently(attempt, password, until, lost=lost)
        except (Ended, Fault) as error:
            if attempt.ended:
                raise fault.ended(self._endpoint) from error
            raise
        finally:
            self._attempt = None
            self._full_since = None

    def stop(self) -> None:
        """End the attempt under way, if there is one, at once."""
        attempt = self._attempt
        if attempt is not None:
            attempt.end()

    def _persistently(self, attempt: Attempt, password: str, until: float, *, lost: bool) -> Connection:
        """Try again while the array is full, or drops what comes in bursts: 100 nodes may boot together."""
        crowd = Crowd()
        tries, began = 0, time.monotonic()
        while True:
            attempt.pause(self._limiter.due(1 if lost and not tries else 0))
            deadline = time.monotonic() + self._limits.connect
            try:
                return self._once(attempt, password, deadline, crowded=tries > 0)
            except Full as error:
                self._lockout.passed()  # whatever follows: the password is right
                self._full_since = self._full_since or time.monotonic()
                why, patience = str(error), until
            except Dropped as dropped:
                why, patience = str(dropped), min(until, began + self._limits.dropped)
                if self._full_since is not None:
                    patience = until
            left = patience - time.monotonic()
            if left < LAST or time.monotonic() >= deadline:
                raise self._given_up(why)
            log.debug("array %s: %s", self._endpoint.name, why, extra=operation.extra())
            tries += 1
            attempt.pause(min(crowd.pause(), left - LAST / 2))

    def _given_up(self, why: str) -> Fault:
        return self.full or fault.unreachable(
            self._endpoint, f"the SSH connection is dropped before the login ({why})"
        )

    def _once(self, attempt: Attempt, password: str, deadline: float, *, crowded: bool) -> Connection:
        connection = self._dial.connect(attempt, deadline)
        try:
            transport = login(connection, self._endpoint, self._pins, password, deadline)
        except Fault as refused:
            if refused.code is Code.ARRAY_AUTHENTICATION:
                self._lockout.refused(password, refused)
            raise
        self._lockout.passed()
        try:
            first = first_channel(transport, deadline)
        except TimeoutError as error:
            raise Dropped(str(error)) from error
        endpoint, limits = self._endpoint, self._limits
        said = f"{endpoint.place}{legacy.remark(transport)}"
        log.info("array %s: connected to %s", endpoint.name, said, extra=operation.extra())
        return Connection(transport, first, limits.crowded if crowded else limits.idle)
