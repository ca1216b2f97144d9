"""Processes on a leash (tools/lab/leash.py): each ends when this process does, in whatever way."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault

LEASH: Final = Path(__file__).parents[1] / "lab" / "leash.py"
START_SECONDS: Final = 60.0  # a deadline, not the usual time


class Processes:
    """Programs by their names, which run in a directory and write there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *argv: str | Path) -> None:
        """Start a program under a name, its output in NAME.log."""
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-I", str(LEASH), str(self._directory), *map(str, argv)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self._directory)},
            )

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a program is ready; LabFault with the end of its log when it ends or is late."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise LabFault("kube-start", f"{name} did not come up:\n{self.log(name)[-3000:]}")
            time.sleep(0.05)

    def end(self, name: str) -> None:
        """Kill one."""
        process = self._running.pop(name)
        if process.stdin is not None and process.poll() is None:
            process.stdin.write(b".")
            process.stdin.close()
        process.wait(timeout=10)

    def end_all(self) -> None:
        """Kill all, the last first."""
        for name in reversed(list(self._running)):
            self.end(name)

    def log(self, name: str) -> str:
        """Return what a program has written."""
        return (self._directory / f"{name}.log").read_text(errors="replace")
