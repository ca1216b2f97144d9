"""The helper: a worker in this process, and a real supervisor that forks real workers.

Both do everything but the work itself: where a verb would take a volume's lock or walk to a target, a
tripwire counts and refuses. It must be met by exactly those messages that the oracle takes for valid.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from helper import __main__ as supervisor
from helper import hostlock, settings, worker
from instorage.wire.fault import Code, Fault
from tools.fuzz import mutation, oracle
from tools.fuzz.result import FoundError, Result, Watch, descriptors
from tools.fuzz.tripwire import TRIPPED, disarmed

if TYPE_CHECKING:
    from random import Random

VERBS = (
    *("Initiator", "Inspect", "Lock", "Unlock", "Attach", "Detach", "Mount", "Bind", "Unmount"),
    *("Rescan", "GrowFilesystem", "Freeze", "Thaw", "Barrier"),
)

SENTINEL = b'\0{"method":"org.varlink.service.GetInfo"}\0'

MOST = 150_000  # bytes that a socket takes without a reader

PATIENCE = 30.0


def call(random: Random, root: str) -> bytes:
    """Return the next input, without its NUL."""
    return mutation.call(random.choice(VERBS), root, random)[:MOST]


def in_process(random: Random, wanted: int, directory: Path) -> Result:
    """Feed workers in this process, a connection each."""
    result, root = Result("worker"), str(directory / "kubelet")
    take = hostlock.HostLock.take
    before = signal.getsignal(signal.SIGTERM)
    with disarmed(directory) as (tripwire, configured):
        hostlock.HostLock.take = lambda *_: (_ for _ in ()).throw(Fault(Code.LOCK_LOST, "No."))  # type: ignore[method-assign]
        watch = Watch(result, os.getpid(), wanted)
        try:
            while result.messages < wanted:
                data = call(random, root) + b"\0"
                tripwire.count = 0
                expected = oracle.verdicts(data, root)
                _understand(_served(data, configured), data, expected, result)
                if tripwire.count != len(_verbs(expected)):
                    raise FoundError(f"{tripwire.count} verbs began, the oracle says {expected}", data)
                result.begun += tripwire.count
                watch.tick()
        finally:
            hostlock.HostLock.take = take  # type: ignore[method-assign]
            signal.signal(signal.SIGTERM, before)
        return watch.end()


def _verbs(expected: list[str | None]) -> list[str]:
    return [verb for verb in expected if verb not in (None, oracle.BROKEN)]


def _served(data: bytes, configured: settings.Settings) -> list[bytes]:
    """Let a worker serve one connection to its end; return its answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            worker.Worker(ours, configured).serve()
        except FoundError:
            raise
        except BaseException as error:
            raise FoundError(f"a worker died: {error!r}", data) from error
        ours.close()
        theirs.settimeout(1)
        said = b""
        with contextlib.suppress(ConnectionResetError):  # it was closed with input unread
            while more := theirs.recv(1 << 16):
                said += more
    return said.split(b"\0")[:-1]


def _understand(answers: list[bytes], data: bytes, expected: list[str | None], result: Result) -> int:
    """Count refusals and return the tripwires met; `FoundError` for an answer that must not be."""
    tripped = broken = 0
    for text in answers:
        answer = json.loads(text)
        code = answer.get("parameters", {}).get("code") if "error" in answer else ""
        if "error" in answer and not code:
            code = answer["error"].rpartition(".")[2]
        if code == "internal":
            raise FoundError(f"an error was not foreseen: {answer}", data)
        broken += code == "protocol"
        if code and answer["parameters"].get("sentence") == TRIPPED:
            tripped += 1
        elif code:
            result.codes[code] += 1
    if broken != (oracle.BROKEN in expected):
        raise FoundError(f"{broken} messages were taken for broken, the oracle says {expected}", data)
    return tripped


class Peer:
    """A connection to the supervisor that is opened again when it was closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def ask(self, data: bytes) -> list[bytes]:
        """Send input; return all answers to it."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(PATIENCE)
            self._socket.connect(str(self._path))
        said = b""
        try:
            self._socket.sendall(data + SENTINEL)
            while b'"vendor"' not in said.rpartition(b"\0")[0][-4000:]:
                if not (more := self._socket.recv(1 << 16)):
                    raise ConnectionResetError
                said += more
        except ConnectionError:
            self.close()
            return said.split(b"\0")[:-1]
        return said.split(b"\0")[:-2]

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def supervised(random: Random, wanted: int, directory: Path) -> Result:
    """Feed a real supervisor; it must be the same process in the end, as small as before."""
    result, path, root = Result("supervisor"), directory / "helper.sock", str(directory / "kubelet")
    path.unlink(missing_ok=True)
    with disarmed(directory) as (_, configured), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(128)
        if (pid := os.fork()) == 0:
            try:
                supervisor.Supervisor(listener, configured, frozenset((os.getuid(),))).run()
            finally:
                os._exit(1)
    peer, watch = Peer(path), Watch(result, pid, wanted)
    try:
        while result.messages < wanted:
            _compare(peer, call(random, root), root, result)
            if random.random() < 0.01:
                peer.close()
            watch.tick()
        peer.close()
        _wait_for_workers(pid)
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            raise FoundError("the supervisor ended", b"")
        return watch.end()
    finally:
        peer.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _compare(peer: Peer, data: bytes, root: str, result: Result) -> None:
    expected = oracle.verdicts(data + b"\0", root)
    answers = peer.ask(data)
    lost = result.codes["lock-lost"]
    tripped = _understand(answers, data, expected, result)
    silent = b"oneway" in data or result.codes["lock-lost"] > lost
    if tripped > len(_verbs(expected)) or (tripped < len(_verbs(expected)) and not silent):
        raise FoundError(f"{tripped} verbs began, the oracle says {expected}", data)
    result.begun += tripped


def _wait_for_workers(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}/task/{pid}/children").read_text().strip():
        if time.monotonic() > deadline:
            raise FoundError(f"workers stay; {descriptors(pid)} descriptors", b"")
        time.sleep(0.01)
