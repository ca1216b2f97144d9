"""The agent as a process of its own, with its sockets passed in as systemd does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.bench import Bench

LAUNCHER = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
import nodeagent.__main__ as program
program.Agent.__init__.__kwdefaults__.update(uid=os.getuid(), rest=float(sys.argv[1]))
sys.exit(program.main())
"""


class Service:
    """systemd's part: makes the sockets, starts the agent with them, hears what it notifies.

    `prelude` is run in the process before the agent's program.
    """

    def __init__(self, bench: Bench, prelude: str = "") -> None:
        self.bench = bench
        self._prelude = prelude
        self.listeners = []
        for path in (bench.socket, bench.directory / "plugin/.agent.sock"):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            listener.listen(64)
            self.listeners.append(listener)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(bench.directory / "notify"))
        self.notified.settimeout(20)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, rest: float = 30.0, **more: str) -> subprocess.Popen[bytes]:
        """Start and wait for READY=1."""
        bench = self.bench
        environment = {
            "PATH": os.environ["PATH"],
            "LISTEN_FDS": "2",
            "NOTIFY_SOCKET": str(bench.directory / "notify"),
            "INSTORAGE_PLUGIN": str(bench.directory / "plugin"),
            "STATE_DIRECTORY": str(bench.directory / "state"),
            "INSTORAGE_HELPER_SOCKET": str(bench.directory / "helper.sock"),
        } | more
        descriptors = [listener.fileno() for listener in self.listeners]
        with open(bench.directory / "log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SHUFFLE + self._prelude + LAUNCHER, str(rest), *map(str, descriptors)],
                env=environment, pass_fds=descriptors, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        self.hear("READY=1")
        return process

    def hear(self, wanted: str) -> None:
        self.heard: list[str] = []
        while not self.heard or self.heard[-1] != wanted:
            self.heard.append(self.notified.recv(4096).decode())

    def hear_status(self, part: str) -> None:
        """Look for a STATUS among what was notified until the last READY=1."""
        assert any(part in text for text in self.heard), self.heard

    def log(self) -> str:
        return (self.bench.directory / "log").read_text()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)
        for one in (*self.listeners, self.notified):
            one.close()


# systemd passes its sockets from descriptor 3 on
SHUFFLE = """
import os, sys
given = [os.dup(int(text)) for text in sys.argv[2:]]
given = [os.dup(number) if number < 10 else number for number in given]
for number, descriptor in enumerate(given):
    os.dup2(descriptor, 3 + number, inheritable=True)
"""
