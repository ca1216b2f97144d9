"""One SSH connection: a channel for each command, a deadline for each channel, closed when idle."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import paramiko

from instorage.arrays.as18000.session.refusal import Output

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_OUTPUT = 32 << 20  # bytes; 5,000 volumes are 1.5 MB
KEEPALIVE = 15  # seconds
_CHUNK = 65536
_BROKEN = (paramiko.SSHException, EOFError, OSError)


class NotSent(Exception):
    """The command did not leave: it may be given to another connection, whatever it does."""


class Crowded(NotSent):
    """The connection is well, but the array gives it no further channel for now."""


class Full(Exception):
    """The array took the login and gives the connection no channel: all its sessions are taken."""


class Lost(Exception):
    """The connection broke or fell silent under the command: it may have been done or not."""


class Connection:
    """An authenticated transport with a watching thread that enforces deadlines and closes it when idle.

    paramiko's own wait for the answer to an exec request has no timeout: the watch closes an overdue
    channel, which ends that wait. `first` is a channel that is open already: the first command gets it.
    """

    def __init__(self, transport: paramiko.Transport, first: paramiko.Channel, idle: float) -> None:
        transport.set_keepalive(KEEPALIVE)
        self._transport = transport
        self._first: paramiko.Channel | None = first
        self._idle = idle
        self._changed = threading.Condition()
        self._deadlines: dict[paramiko.Channel, float] = {}
        self._active = 0
        self._used = time.monotonic()
        self._retired = False
        self.rested = False
        """Whether it was closed only since nobody used it: no sign that the array is in trouble."""
        self._watch = threading.Thread(target=self._watching, name="array-connection", daemon=True)
        self._watch.start()

    @property
    def usable(self) -> bool:
        """False when a command must be given to a new connection."""
        return not self._retired and self._transport.is_active()

    def run(self, command: str, deadline: float, before: Callable[[], None]) -> Output:
        """Run a command until `deadline` (monotonic seconds). `NotSent`, `Lost`.

        `before` is called when a channel is there; what it raises keeps the command from being sent, and so
        does an answer after the deadline.
        """
        self._enter()
        try:
            channel = self._open(deadline)
            try:
                before()
                if time.monotonic() >= deadline:  # who was asked may have taken long to answer
                    raise Crowded("it was not wanted in time")
                return self._converse(channel, command, deadline)
            finally:
                self._shut(channel)
        finally:
            self._leave()

    def retire(self) -> None:
        """Take no new command; close when the last one has ended."""
        with self._changed:
            self._retired = True
            self._changed.notify()

    def close(self) -> None:
        """Take no new command; close now, or when the last command that is under way has ended."""
        self.retire()
        if self._active == 0:
            self._watch.join(timeout=5)

    def _enter(self) -> None:
        with self._changed:
            if self._retired:
                raise NotSent("the connection was closed")
            self._active += 1

    def _leave(self) -> None:
        with self._changed:
            self._active -= 1
            self._used = time.monotonic()
            self._changed.notify()

    def _open(self, deadline: float) -> paramiko.Channel:
        with self._changed:
            first, self._first = self._first, None
        if first is not None and not first.closed:
            return first
        try:
            return self._transport.open_session(timeout=max(0.1, deadline - time.monotonic()))
        except _BROKEN as error:
            # not by type: of two refusals at the same time paramiko tells the reason of one only
            if self._transport.is_active() and time.monotonic() < deadline:
                raise Crowded(str(error)) from error
            self.retire()
            raise NotSent(str(error) or "the connection was closed") from error

    def _converse(self, channel: paramiko.Channel, command: str, deadline: float) -> Output:
        with self._changed:
            self._deadlines[channel] = deadline
            self._changed.notify()
        try:
            channel.exec_command(command)
            stdout = _drain(channel, channel.recv, deadline)
            stderr = _drain(channel, channel.recv_stderr, deadline)
            return self._end(channel, stdout, stderr, deadline)
        except _BROKEN as error:
            late = time.monotonic() >= deadline
            if late:
                self.retire()  # silent for one command, and so not trusted with the next
            raise Lost("no answer in time" if late else str(error) or "the connection was closed") from error

    def _end(self, channel: paramiko.Channel, stdout: bytes, stderr: bytes, deadline: float) -> Output:
        channel.status_event.wait(max(0.0, deadline - time.monotonic()))
        # without an end of output the answer may be cut; without a status the command may be cut
        cut = not channel.eof_received and not self._transport.is_active()
        if cut or not channel.status_event.is_set() or channel.exit_status < 0:
            raise EOFError("the connection was closed before the answer was whole")
        return Output(channel.exit_status, _text(stdout), _text(stderr))

    def _shut(self, channel: paramiko.Channel) -> None:
        with self._changed:
            self._deadlines.pop(channel, None)
        with contextlib.suppress(*_BROKEN):
            channel.close()

    def _watching(self) -> None:
        try:
            while (overdue := self._next()) is not None:
                for channel in overdue:
                    with contextlib.suppress(*_BROKEN):
                        channel.close()
        finally:  # whatever ended this thread: without it no command would have a deadline
            self._retired = True
            self._transport.close()

    def _next(self) -> list[paramiko.Channel] | None:
        """Wait until channels are overdue, and return them; None when the connection is to be closed."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._active == 0 and (self._retired or now >= self._used + self._idle):
                    self.rested = not self._retired
                    self._retired = True
                    return None
                overdue = [channel for channel, deadline in self._deadlines.items() if deadline <= now]
                if overdue:
                    for channel in overdue:
                        del self._deadlines[channel]
                    return overdue
                until = min(self._deadlines.values(), default=now + self._idle)
                if self._active == 0:
                    until = min(until, self._used + self._idle)
                self._changed.wait(max(0.0, until - now))


def first_channel(transport: paramiko.Transport, deadline: float) -> paramiko.Channel:
    """Return a channel of a new connection: the proof that the array lets it stay. `Full`, TimeoutError.

    The family closes a connection too many only after the login (array-as18000.md 2.1).
    """
    try:
        return transport.open_session(timeout=max(0.1, deadline - time.monotonic()))
    except _BROKEN as error:
        transport.close()
        if time.monotonic() >= deadline:
            raise TimeoutError("no channel in time") from error
        raise Full(str(error)) from error


def _drain(channel: paramiko.Channel, receive: Callable[[int], bytes], deadline: float) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = receive(_CHUNK)
        if not chunk:
            return b"".join(chunks)
        total += len(chunk)
        if total > MAX_OUTPUT or time.monotonic() > deadline:
            raise EOFError(f"no end of the answer after {total} bytes")
        chunks.append(chunk)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")
