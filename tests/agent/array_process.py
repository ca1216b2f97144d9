"""A simulated array as a process of its own: what keeps the test's process busy does not slow it down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from simulator.array import Simulator

if TYPE_CHECKING:
    from simulator.array import Settings
    from simulator.control.client import Control

ROOT = Path(__file__).resolve().parents[2]
BEFORE_OTHERS = -15  # an array has processors of its own; where we may not say so, it shares them


class ArrayProcess(Simulator):
    """A simulator as its users see it: it has an address and a control socket, and no engine here."""

    def __init__(
        self, settings: Settings
    ) -> None:  # not super().__init__: that makes an array in this process
        self._settings = settings
        self._making = threading.Lock()
        self._control: Control | None = None
        self.addresses: list[str] = []

    def start(self) -> Self:
        """Return once it serves."""
        given, limits = self._settings, self._settings.limits
        argv = [sys.executable, "-m", "simulator", f"--state={given.state}"]
        argv.append(f"--control={given.control}")
        for number, portal in given.topology.portals.items():
            argv += ["--portal", f"{number}={portal}"]
        argv += ["--limit-burst", str(limits.burst), "--limit-rate", str(limits.rate)]
        self._process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, BEFORE_OTHERS)
        assert self._process.stdout is not None
        self.addresses = json.loads(self._process.stdout.readline())["listen"]
        return self

    def stop(self) -> None:
        """End it."""
        if self._control is not None:
            self._control.close()
        self._process.terminate()
        self._process.communicate(timeout=30)
