"""A real supervisor on a socket in a temporary directory, with the user who runs the tests as its agent."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from helper import __main__ as supervisor
from helper import abandoned, content, hostlock, iscsi, settings, volume
from tests.helper.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., int]

HELPER = "io.inspur.instorage.Helper"


@pytest.fixture(autouse=True)
def files_as_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular file, which tests take for a device, has no cache that could be emptied."""
    empty = content.empty_cache

    def only_a_device(descriptor: int) -> None:
        if stat.S_ISBLK(os.fstat(descriptor).st_mode):
            empty(descriptor)

    monkeypatch.setattr(content, "empty_cache", only_a_device)


class Client:
    """A peer that speaks varlink in the plainest way."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self._pending = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> dict[str, Any] | None:
        while b"\0" not in self._pending:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._pending += data
        text, _, self._pending = self._pending.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def call(self, verb: str, **parameters: Any) -> dict[str, Any]:
        method = verb if "." in verb else f"{HELPER}.{verb}"
        if "." not in verb:
            parameters = {"op": "test1", **parameters}
        self.send(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        answer = self.receive()
        assert answer is not None, "the helper closed the connection"
        return answer

    def lock(self, mode: str, lease_ms: int = 20000, wait_ms: int = 10000, op: str = "test1") -> Any:
        return self.call("Lock", mode=mode, lease_ms=lease_ms, wait_ms=wait_ms, op=op)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """An empty host that the helper's modules use."""
    host = Host(tmp_path)
    host.patch(monkeypatch)
    yield host
    host.close()


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put everything of /run/instorage below a temporary directory."""
    monkeypatch.setattr(abandoned, "FOLDER", str(tmp_path / "abandoned"))
    monkeypatch.setattr(volume, "LOCKS", str(tmp_path / "volumes"))
    monkeypatch.setattr(iscsi, "FAILED", str(tmp_path / "portals"))
    monkeypatch.setattr(iscsi, "USED", str(tmp_path / "used"))
    monkeypatch.setattr(iscsi, "MAKING", str(tmp_path / "making"))
    monkeypatch.setattr(hostlock, "HOST_LOCK", str(tmp_path / "host.lock"))
    return tmp_path


@pytest.fixture
def start(run_directory: Path) -> Iterator[Start]:
    """Start supervisors; each listens on `helper.sock` of the directory. They are ended with the test."""
    started: list[int] = []

    def begin(
        configured: Any = None,
        users: frozenset[int] | None = None,
        idle: float = 60.0,
        workers: int = 64,
        for_root: int = 0,
    ) -> int:
        path = run_directory / "helper.sock"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(128)
            pid = os.fork()
            if pid == 0:
                supervisor.IDLE, supervisor.MAX_WORKERS, supervisor.FOR_ROOT = idle, workers, for_root
                default = settings.Settings(lock_path=str(run_directory / "instorage.yaml"))
                allowed = frozenset((os.getuid(),)) if users is None else users
                try:
                    supervisor.Supervisor(listener, configured or default, allowed).run()
                finally:
                    os._exit(0)
        started.append(pid)
        return pid

    yield begin
    for pid in started:
        with contextlib.suppress(ChildProcessError):  # the test has seen its end
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                os.kill(pid, signal.SIGTERM)
                wait_for_end(pid)


@pytest.fixture
def connect(run_directory: Path) -> Iterator[Callable[[], Client]]:
    """Connect to the supervisor; connections are closed with the test."""
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(run_directory / "helper.sock"))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def wait_for_end(pid: int, seconds: float = 10) -> None:
    """Reap a child that must end now."""
    deadline = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"process {pid} did not end")
        time.sleep(0.01)


def is_locked(path: Path) -> bool:
    """Return whether another program would have to wait for an exclusive flock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
