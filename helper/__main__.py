"""The supervisor: accepts the agent, forks a worker a connection, keeps the host lock, leaves when idle.

Single-threaded and never waiting for a device, a program or a peer, so that forking is safe and a worker that
hangs stops nobody else.
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

from helper import child, settings, worker
from helper.hostlock import HOST_LOCK, Claim, HostLock
from instorage.wire.fault import Code, Fault
from instorage.wire.varlink import decode, encode
from instorage.wire.verbs import INTERFACE, LockMode
from systemd import journal

AGENT_USER = "instorage-agent"
MAX_WORKERS = 64
IDLE = 20.0  # seconds without work after which the helper leaves; systemd keeps the socket
_FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


class Supervisor:
    """Owns the listening socket; `users` are the uids that are answered."""

    def __init__(self, listener: socket.socket, configured: settings.Settings, users: frozenset[int]) -> None:
        self._listener = listener
        self._settings = configured
        self._users = users
        self._lock = HostLock((HOST_LOCK, configured.lock_path))
        self._workers: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._systemd = sdnotify.SystemdNotifier()
        self._stopping = False
        self._idle_since = time.monotonic()
        self._refusals_said = 0.0
        self._wake, waker = socket.socketpair()
        waker.settimeout(0)
        self._waker = waker
        self._beat = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6

    def run(self) -> None:
        """Serve until idle or told to stop."""
        self._listener.settimeout(0)
        self._wake.settimeout(0)
        for source in (self._listener, self._wake):
            self._selector.register(source, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._systemd.notify("READY=1")
        while not self._finished():
            self._systemd.notify("WATCHDOG=1")
            for key, _ in self._selector.select(self._pause()):
                self._handle(key.fileobj, key.data)
            for pid, answer in self._lock.step():
                self._tell(pid, answer)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)

    def _finished(self) -> bool:
        if self._workers:
            self._idle_since = time.monotonic()
            return False
        if self._stopping:
            return True
        return time.monotonic() - self._idle_since >= IDLE and not child.abandoned()

    def _pause(self) -> float:
        now = time.monotonic()
        times = [now + self._beat, self._lock.wake()]
        if not self._workers:
            times.append(max(self._idle_since + IDLE, now + 1))
        return max(min(at for at in times if at is not None) - now, 0)

    def _handle(self, source: object, pid: int | None) -> None:
        if source is self._listener:
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                self._accept(self._listener.accept()[0])
        elif source is self._wake:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
            self._reap()
        elif pid is not None and pid in self._workers:
            self._hear(pid)

    def _accept(self, connection: socket.socket) -> None:
        """Fork a worker for a peer that the kernel says is the agent; close every other at once."""
        with connection:
            size = struct.calcsize("3i")
            peer, uid, _ = struct.unpack(
                "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            )
            if uid not in self._users:
                self._say_refusal(
                    f"A connection of process {peer}, user {uid}, was closed: only the agent is served."
                )
            elif len(self._workers) >= MAX_WORKERS:
                fault = Fault(Code.NOT_ALLOWED, f"The helper serves {MAX_WORKERS} connections already.")
                connection.settimeout(0)
                with contextlib.suppress(OSError):
                    connection.send(encode({"error": f"{INTERFACE}.Fault", "parameters": fault.to_wire()}))
                self._say_refusal(str(fault))
            else:
                self._fork(connection)

    def _say_refusal(self, sentence: str) -> None:
        if time.monotonic() - self._refusals_said > 1:  # a flood must not fill the journal
            self._refusals_said = time.monotonic()
            journal.send(sentence, PRIORITY="4")

    def _fork(self, connection: socket.socket) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                self._selector.close()
                for inherited in (ours, self._listener, self._wake, self._waker, *self._workers.values()):
                    inherited.close()
                connection.settimeout(None)
                worker.Worker(connection, theirs, self._settings).serve()
            finally:
                os._exit(0)
        theirs.close()
        ours.settimeout(0)
        self._workers[pid] = ours
        self._selector.register(ours, selectors.EVENT_READ, pid)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                channel = self._workers.pop(pid, None)
                self._lock.drop(pid)
                if channel:
                    with contextlib.suppress(KeyError):
                        self._selector.unregister(channel)
                    channel.close()

    def _hear(self, pid: int) -> None:
        """Take what a worker asks of the host lock."""
        try:
            data = self._workers[pid].recv(65536)
        except OSError:
            data = b""
        if not data:  # it is ending: the rest when it is reaped
            self._selector.unregister(self._workers[pid])
            return
        asked = decode(data.rstrip(b"\0"))
        if "unlock" in asked:
            self._lock.drop(pid)
        else:
            claim = asked["lock"]
            mode = LockMode(claim["mode"])
            self._lock.ask(Claim(pid, claim["op"], mode, claim["lease"], claim["deadline"] / 1000))

    def _tell(self, pid: int, answer: Fault | tuple[str, ...]) -> None:
        if isinstance(answer, Fault):
            message: dict[str, object] = answer.to_wire()
        else:
            message = {"since": int(time.monotonic() * 1000), "not_locked": list(answer)}
            if answer:
                self._say_refusal(f"Not locked for other programs: {'; '.join(answer)}")
        with contextlib.suppress(OSError, KeyError):
            self._workers[pid].send(encode(message))


def users() -> frozenset[int]:
    """Return the uids that may ask: root's, and the agent's when that user exists."""
    try:
        return frozenset((0, pwd.getpwnam(AGENT_USER).pw_uid))
    except KeyError:
        return frozenset((0,))


def main() -> int:
    """Run on the listening socket that systemd passed."""
    os.umask(0o077)
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        print("The helper is started by instorage-helper.socket, not by hand.", file=sys.stderr)
        return 2
    try:
        configured = settings.load()
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 78  # EX_CONFIG
    Supervisor(socket.socket(fileno=_FIRST_DESCRIPTOR), configured, users()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
