"""The supervisor: accepts the agent, forks a worker a connection, keeps the host lock, leaves when idle.

Single-threaded and never waiting for a device, a program or a peer, so that forking is safe and a worker
that hangs stops nobody else.
"""

import contextlib
import os
import pwd
import selectors
import signal
import socket
import struct
import sys
import time

import sdnotify

from helper import child, freeze, settings, worker
from helper.hostlock import HOST_LOCK, Claim, HostLock
from instorage.wire.fault import Code, Fault
from instorage.wire.interface import INTERFACE
from instorage.wire.varlink import decode, encode
from instorage.wire.verbs import LockMode
from systemd import journal

AGENT_USER = "instorage-agent"
MAX_WORKERS = 64
FOR_ROOT = 4  # more, so that the agent alone cannot keep root out
IDLE = 20.0  # seconds without work after which the helper leaves; systemd keeps the socket
_STOP = (signal.SIGTERM,)
_FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)
_UCRED = struct.Struct("3i")  # pid, uid, gid; socket(7)


class Supervisor:
    """Owns the listening socket; answers `users` (uids), a broken configuration with its fault."""

    def __init__(
        self, listener: socket.socket, configured: settings.Settings | Fault, users: frozenset[int]
    ) -> None:
        self._listener, self._configured, self._users = listener, configured, users
        lock_path = () if isinstance(configured, Fault) else (configured.lock_path,)
        self._lock = HostLock(HOST_LOCK, *lock_path)
        self._workers: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._systemd = sdnotify.SystemdNotifier()
        self._beat = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6
        self._stopping = False
        self._idle_since = time.monotonic()
        self._warned = 0.0

    def run(self) -> None:
        """Serve until idle or told to stop."""
        for source in (self._listener, self._wake, self._waker):
            source.settimeout(0)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake, selectors.EVENT_READ, self._reap)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._systemd.notify("READY=1")
        while not self._finished():
            self._systemd.notify("WATCHDOG=1")
            now = time.monotonic()
            soonest = min(now + (self._beat if self._workers else 1), self._lock.wake() or now + self._beat)
            for key, _ in self._selector.select(max(soonest - now, 0)):
                key.data()
            for pid, answer in self._lock.step():
                self._tell(pid, answer)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)

    def _finished(self) -> bool:
        if self._workers or (not self._stopping and child.abandoned()):
            self._idle_since = time.monotonic()
            return False
        return self._stopping or time.monotonic() - self._idle_since >= IDLE

    def _accept(self) -> None:
        """Fork a worker for a peer that the kernel says is the agent; close every other at once."""
        if self._stopping:  # who comes now waits in systemd's socket for the next helper
            self._selector.unregister(self._listener)
            return
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
                fault = Fault(Code.NOT_ALLOWED, f"The helper serves {MAX_WORKERS} connections already.")
                self._refuse(connection, fault)
            else:
                self._fork(connection, self._configured)

    def _refuse(self, connection: socket.socket, fault: Fault) -> None:
        connection.settimeout(0)
        with contextlib.suppress(OSError):
            connection.send(encode({"error": f"{INTERFACE}.Fault", "parameters": fault.to_wire()}))
        self._warn(str(fault))

    def _warn(self, sentence: str) -> None:
        if time.monotonic() - self._warned > 1:  # a flood must not fill the journal
            self._warned = time.monotonic()
            journal.send(sentence, PRIORITY="4")

    def _fork(self, connection: socket.socket, configured: settings.Settings) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
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
                self._selector.close()
                for inherited in (ours, self._listener, self._wake, self._waker, *self._workers.values()):
                    inherited.close()
                worker.Worker(connection, theirs, configured).serve()
            os._exit(0)
        theirs.close()
        ours.settimeout(0)
        self._workers[pid] = ours
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(pid))

    def _reap(self) -> None:
        self._wake.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._lock.drop(pid)
                if channel := self._workers.pop(pid, None):
                    with contextlib.suppress(KeyError):
                        self._selector.unregister(channel)
                    channel.close()
                    freeze.thaw_behind(self._configured)

    def _hear(self, pid: int) -> None:
        """Take what a worker asks of the host lock; an end of its channel is its end, and `_reap` follows."""
        if pid not in self._workers:
            return
        data = b""
        with contextlib.suppress(ConnectionResetError):  # it was killed with an answer unread
            data = self._workers[pid].recv(65536)
        asked = decode(data.rstrip(b"\0")) if data else {}
        if not data:
            self._selector.unregister(self._workers[pid])
        elif "unlock" in asked:
            self._lock.drop(pid)
        else:
            claim = asked["lock"]
            lease, deadline = claim["lease"] / 1000, claim["deadline"] / 1000
            self._lock.ask(Claim(pid, claim["op"], LockMode(claim["mode"]), lease, deadline))

    def _tell(self, pid: int, answer: Claim | Fault) -> None:
        if isinstance(answer, Fault):
            told = answer.to_wire()
        else:
            told = {"until": int(answer.until * 1000), "not_locked": self._lock.not_locked}
        with contextlib.suppress(OSError, KeyError):
            self._workers[pid].send(encode(told))


def users() -> frozenset[int]:
    """Return the uids that are answered: root's, and the agent's when that user exists."""
    with contextlib.suppress(KeyError):
        return frozenset((0, pwd.getpwnam(AGENT_USER).pw_uid))
    return frozenset((0,))


def main() -> int:
    """Run on the listening socket that systemd passed."""
    os.umask(0o077)
    configured = settings.loaded()
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        print("The helper is started by instorage-helper.socket, not by hand.", file=sys.stderr)
        return 2
    freeze.thaw_recorded(configured)
    Supervisor(socket.socket(fileno=_FIRST_DESCRIPTOR), configured, users()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
