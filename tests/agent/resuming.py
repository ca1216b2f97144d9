"""`instoragectl barrier resume` as a process of its own beside the bench's agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.agent.expanding import PATIENCE

if TYPE_CHECKING:
    from tests.agent.bench import Bench

PROGRAM = f"""
import sys
import instorage.arrays.endpoint as endpoint
import nodeagent.administration.barrier as barrier
from instorage.arrays.as18000.session import hesitation
from nodeagent.administration import ctl
from nodeagent.host import helper_client
limits = endpoint.{PATIENCE!r}
endpoint.Limits.__init__.__defaults__ = tuple(vars(limits).values())
hesitation.LOOK_AGAIN = 0.002
barrier.leave_root = lambda _: None
barrier.WAIT_SECONDS, helper_client.LEASE_SECONDS = float(sys.argv.pop(1)), float(sys.argv.pop(1))
sys.exit(ctl.main())
"""


@dataclass
class Resumes:
    """Processes of one test; those that still run at its end are killed."""

    bench: Bench
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, wait: float = 10.0, lease: float = 180.0) -> subprocess.Popen[str]:
        """Begin; it waits for the host lock for so many seconds, and holds it under such a lease."""
        environment = {
            "PATH": os.environ["PATH"],
            "INSTORAGE_HELPER_SOCKET": str(self.bench.directory / "helper.sock"),
            "STATE_DIRECTORY": str(self.bench.directory / "state"),
        }
        config = str(self.bench.paths.configuration)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(wait), str(lease), "barrier", "resume", "--config", config],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], seconds: float = 40) -> str:
        """Wait for its end; return what it said."""
        return process.communicate(timeout=seconds)[0]

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate(timeout=10)

    @staticmethod
    def suspend(process: subprocess.Popen[str]) -> None:
        """As Ctrl-Z does."""
        process.send_signal(signal.SIGSTOP)

    @staticmethod
    def go_on(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                self.kill(process)
