"""The supervisor: accepts the agent, forks a worker a connection, leaves when idle.

Single-threaded and never waiting for a device, a program or a peer, so that forking is safe and a worker
that hangs stops nobody else.
"""

import contextlib
import os
import pwd
import select
import signal
import socket
import struct
import sys
import time
import traceback

import sdnotify

from helper import abandoned, freeze, journal, settings, worker
from helper.settings import Configured
from instorage.wire.fault import Code, Fault
from instorage.wire.varlink import encode

AGENT_USER = "instorage-agent"
MAX_WORKERS = 40
FOR_ROOT = 4  # more, so that the agent alone cannot keep root out
PATIENCE = 10.0  # seconds that a stop waits for verbs under way
IDLE = 20.0  # seconds without work after which the helper leaves; systemd keeps the socket
_STOP = (signal.SIGTERM,)
_FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)
_UCRED = struct.Struct("3i")  # pid, uid, gid; socket(7)


class Supervisor:
    """Owns the listening socket; answers `users` (uids), a broken configuration with its fault."""

    def __init__(self, listener: socket.socket, configured: Configured, users: frozenset[int]) -> None:
        self._listener, self._configured, self._users = listener, configured, users
        self._workers: set[int] = set()
        self._thawing, self._thaw_again = 0, False
        self._wake, self._waker = socket.socketpair()
        self._systemd = sdnotify.SystemdNotifier()
        self._beat = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6
        self._stopping, self._stop_until = False, 0.0
        self._idle_since = time.monotonic()
        self._warned = 0.0

    def run(self) -> None:
        """Serve until idle or told to stop."""
        for source in (self._listener, self._wake, self._waker):
            source.settimeout(0)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._systemd.notify("READY=1")
        while not self._finished():
            self._systemd.notify("WATCHDOG=1")
            sources = (self._wake,) if self._stopping else (self._wake, self._listener)
            waiting = self._beat if self._workers and not self._stopping else 1
            ready = select.select(sources, (), (), waiting)[0]
            if self._wake in ready:
                self._reap()
            if self._listener in ready and not self._stopping:  # else it waits for the next helper
                self._accept()

    def _stop(self, *_: object) -> None:
        self._stopping, self._stop_until = True, time.monotonic() + PATIENCE
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):  # reaped, and not yet forgotten
                os.kill(pid, signal.SIGTERM)

    def _finished(self) -> bool:
        """Say whether to leave: when idle, or told to stop and no verb is under way, or one for too long.

        Such a verb goes on without a supervisor, with its locks; the next helper answers for other volumes.
        """
        if self._stopping:
            return not self._workers or time.monotonic() > self._stop_until
        if self._workers or abandoned.count():
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since >= IDLE

    def _accept(self) -> None:
        """Fork a worker for a peer that the kernel says is the agent; close every other at once."""
        try:
            connection = self._listener.accept()[0]
        except OSError:  # the peer has gone again
            return
        with connection:
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            peer, uid, _ = _UCRED.unpack(data)
            if uid not in self._users:
                self._warn(f"Closed a connection of process {peer}, user {uid}: only the agent is served.")
            elif isinstance(self._configured, Fault):
                self._refuse(connection, self._configured)
            elif len(self._workers) >= MAX_WORKERS + (uid == 0) * FOR_ROOT:
                text = f"The helper serves {MAX_WORKERS} connections already: ask again."
                self._refuse(connection, Fault(Code.HELPER_BUSY, text))
            else:
                self._fork(connection, self._configured)

    def _refuse(self, connection: socket.socket, fault: Fault) -> None:
        connection.settimeout(0)
        with contextlib.suppress(OSError):
            connection.send(encode(worker.refusal(fault)))
        self._warn(str(fault))

    def _warn(self, sentence: str) -> None:
        if time.monotonic() - self._warned > 1:  # a flood must not fill the journal
            self._warned = time.monotonic()
            journal.warn(sentence)

    def _fork(self, connection: socket.socket, configured: settings.Settings) -> None:
        supervisor = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)  # a stop meets the child among the workers
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            return self._warn(f"No process can be started for a connection: {error.strerror}.")
        if pid == 0:
            with contextlib.suppress(OSError):
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGCHLD, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
                for inherited in (self._listener, self._wake, self._waker):
                    inherited.close()
                worker.end_with(supervisor)
                worker.Worker(connection, configured).serve()
            os._exit(0)
        self._workers.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)

    def _reap(self) -> None:
        self._wake.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                if pid == self._thawing:
                    self._thawing = 0
                elif pid in self._workers:
                    self._workers.remove(pid)
                    self._thaw_again = True
        if self._thaw_again and not self._thawing:
            self._thaw_again = False
            self._thawing = freeze.thaw_behind(self._configured)


def users() -> frozenset[int]:
    """Return the uids that are answered: root's, and the agent's when that user exists."""
    with contextlib.suppress(KeyError):
        return frozenset((0, pwd.getpwnam(AGENT_USER).pw_uid))
    return frozenset((0,))


def main() -> int:
    """Run on the listening socket that systemd passed."""
    os.umask(0o077)
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        print("The helper is started by instorage-helper.socket, not by hand.", file=sys.stderr)
        return 2
    Supervisor(socket.socket(fileno=_FIRST_DESCRIPTOR), begin(), users()).run()
    return 0


def begin() -> Configured:
    """Read the settings and thaw what is left; whatever goes wrong is what callers are told.

    A start that fails would be repeated at once, and without end, for the caller's connection still waits.
    """
    try:
        configured = settings.loaded()
        freeze.thaw_left(configured)
    except Exception as error:
        traceback.print_exc()
        text = f"The helper could not begin ({error!r}): see its journal, mend that, restart it."
        return Fault(Code.INTERNAL, text)
    return configured


if __name__ == "__main__":
    sys.exit(main())
