"""The stub as kubelet runs it, for each processor, and an agent of a few lines on a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EMULATORS = {"aarch64": "qemu-aarch64-static", "mips64el": "qemu-mips64el-static"}
SUCCESS = b'0{"status":"Success"}'


@dataclass(frozen=True)
class Answer:
    """What one run of the stub left behind."""

    status: int
    text: bytes
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """The answer, which kubelet must be able to parse."""
        parsed = json.loads(self.text)
        assert isinstance(parsed, dict)
        return parsed

    def failure(self) -> str:
        """The message of a Failure; anything else is an error."""
        assert self.status == 1
        assert self.json["status"] == "Failure"
        return str(self.json["message"])


@dataclass(frozen=True)
class Stub:
    """One installed stub, alone in its plugin directory."""

    program: Path
    prefix: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The plugin directory."""
        return self.program.parent

    def argv(self, *arguments: str | bytes) -> list[str | bytes]:
        """Return the command line."""
        return [*self.prefix, str(self.program), *arguments]

    def run(self, *arguments: str | bytes, env: dict[str, str] | None = None, **more: Any) -> Answer:
        """Run it as kubelet does, standard error beside standard output, where it must stay empty."""
        began = time.monotonic()
        done = subprocess.run(
            self.argv(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=env or {},
            timeout=30,
            check=False,
            **more,
        )
        assert done.stderr == b"", "a byte on standard error makes kubelet fail the call"
        return Answer(done.returncode, done.stdout, time.monotonic() - began)


@dataclass
class Agent:
    """A node agent for tests: listens, reads a call to its end, and behaves as told."""

    path: Path
    behaviour: Callable[[socket.socket], None]
    calls: list[list[bytes]] = field(default_factory=list)
    reads: bool = True

    def serve(self, listener: socket.socket) -> None:
        """Take calls until the listener is closed."""
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(20)
                if self.reads:
                    self.calls.append(read_call(peer))
                self.behaviour(peer)


def read_call(peer: socket.socket) -> list[bytes]:
    """Read one call as the header of stub.c defines it."""
    whole = b"".join(iter(lambda: peer.recv(65536), b""))
    assert whole.endswith(b"\0")
    return whole[:-1].split(b"\0")


@pytest.fixture(scope="session")
def built() -> Path:
    """Build the stub of this machine."""
    subprocess.run(["make", "-s", "build/flexvolume-stub/instorage-flexvolume"], cwd=ROOT, check=True)
    return ROOT / "build/flexvolume-stub"


@pytest.fixture(scope="session")
def built_everywhere(built: Path) -> Path:
    """Build the stubs of all processors."""
    subprocess.run(["make", "-s", "stub"], cwd=ROOT, check=True)
    return built


@pytest.fixture(params=["native", *(pytest.param(arch, marks=pytest.mark.slow) for arch in EMULATORS)])
def stub(request: pytest.FixtureRequest, built: Path, tmp_path: Path) -> Stub:
    """A fresh plugin directory with the stub in it; the foreign ones run under an emulator."""
    directory = tmp_path / "inspur~instorage-flexvolume"
    directory.mkdir()
    program = directory / "instorage-flexvolume"
    if request.param == "native":
        shutil.copy(built / "instorage-flexvolume", program)
        return Stub(program)
    everywhere: Path = request.getfixturevalue("built_everywhere")
    shutil.copy(everywhere / request.param / "instorage-flexvolume", program)
    emulator = shutil.which(EMULATORS[request.param])
    assert emulator, "tools/system-packages lab installs the emulators"
    return Stub(program, (emulator,))


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Start agents: agent(behaviour or bytes to answer, path=..., reads=...)."""
    with contextlib.ExitStack() as stack:

        def start(
            behaviour: Callable[[socket.socket], None] | bytes = SUCCESS,
            *,
            path: Path | None = None,
            reads: bool = True,
        ) -> Agent:
            act = behaviour if callable(behaviour) else lambda peer: peer.sendall(behaviour)
            started = Agent(path or tmp_path / "agent.sock", act, reads=reads)
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            bind(listener, started.path)
            listener.listen(64)
            threading.Thread(target=started.serve, args=(listener,), daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return started

        yield start


def bind(listener: socket.socket, path: Path) -> None:
    """Bind also where the path is longer than a socket's address: through its directory's descriptor."""
    directory = os.open(path.parent, os.O_PATH)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


@pytest.fixture
def built_stub(built: Path) -> Stub:
    """The native stub where the build puts it: for tests that run it hundreds of times."""
    return Stub(built / "instorage-flexvolume")


@pytest.fixture
def echo(agent: Callable[..., Agent]) -> Agent:
    """An agent that says Success to everything."""
    return agent()
