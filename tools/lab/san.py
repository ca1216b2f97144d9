"""The array that the lab's nodes talk to: the simulator on this machine, its data plane in the array machine.

Guest Python is twelve times slower than this machine's, so the command line runs here and only the kernel's
target is driven in the guest. Nodes reach it at 10.0.2.100:22, as they would an array's management address.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import paramiko

from simulator.control.client import Control
from tools.install import ROOT
from tools.lab.product import PASSWORD, USER
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from types import TracebackType

    from tools.lab.lab import Lab
    from tools.lab.machine import Machine

GUEST_FILES = ("simulator/__init__.py", "simulator/dataplane/*.py")  # a room that needs no other
GUEST_FOLDER = "/usr/lib/instorage-simulator"
PORT = "/dev/virtio-ports/instorage.dataplane"
READY_LIMIT = 60  # seconds


def serve_dataplane(array: Machine) -> None:
    """Have the array machine's kernel target driven over its serial port, from now on."""
    for file in (file for pattern in GUEST_FILES for file in ROOT.glob(pattern)):
        array.put(f"{GUEST_FOLDER}/{file.relative_to(ROOT)}", file.read_bytes())
    array.run(
        "systemctl is-active -q instorage-dataplane || systemd-run -q --unit=instorage-dataplane "
        f"--working-directory={GUEST_FOLDER} -p Restart=always "
        f"/usr/bin/python3 -m simulator.dataplane.server {PORT}"
    )


class San:
    """A running array. `control` sets faults and reads counters; a context manager that ends the program."""

    def __init__(self, lab: Lab, *options: str, address: str = "10.0.2.100", dataplane: bool = True) -> None:
        """Prepare; `options` are further ones of `instorage-simulator`."""
        number = list(MANAGEMENT).index(address)
        self.directory = Path(tempfile.mkdtemp(prefix=f"san{number}-", dir=lab.directory))
        self._control_path = self.directory / "control.sock"
        self._password_file = self.directory / "password"
        self._password_file.write_text(PASSWORD + "\n")
        self._listen = lab.management_socket(address)
        plane = f"unix:{lab.array.dataplane_socket}" if dataplane else "none"
        self._argv = [
            *(sys.executable, "-m", "simulator", "--listen", f"unix:{self._listen}"),
            *("--state", str(self.directory / "state"), "--control", str(self._control_path)),
            *("--dataplane", plane, "--user", USER, "--password-file", str(self._password_file)),
            *("--name", f"mcs{number}", *options),
        ]
        self._lab = lab
        self._dataplane = dataplane
        self._process: subprocess.Popen[str] | None = None
        self._transport: paramiko.Transport | None = None
        self._administrator = threading.Lock()
        self._control: Control | None = None

    def __enter__(self) -> Self:
        if self._dataplane:
            serve_dataplane(self._lab.array)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *options: str) -> None:
        """Start the program and wait until it listens; `options` are for this life of it alone."""
        log = (self.directory / "simulator.log").open("a")
        with log:
            self._process = subprocess.Popen(
                [*self._argv, *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        deadline = time.monotonic() + READY_LIMIT
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line or not json.loads(line).get("ready") or time.monotonic() > deadline:
            self.stop()
            raise RuntimeError(f"the simulator did not start: {self.log[-2000:]}")
        self._control = Control(self._control_path)

    def stop(self) -> None:
        """End the program; its state stays, and `start` goes on with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
            self._listen.unlink(missing_ok=True)  # else nobody after it can listen there

    @property
    def control(self) -> Control:
        """The running program's control socket."""
        if self._control is None:
            raise RuntimeError("the simulator is not running")
        return self._control

    @property
    def log(self) -> str:
        """What the program wrote."""
        path = self.directory / "simulator.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self, line: str) -> str:
        """Run a line of the array's own command line, as its administrator would, and return its output.

        Raises RuntimeError with the array's words when its exit status is not 0. One connection serves all
        lines: the array drops bursts of new ones.
        """
        with self._administrator:
            if self._transport is None or not self._transport.is_active():
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(self._listen))
                self._transport = paramiko.Transport(connection)
                self._transport.connect(username=USER, password=PASSWORD)
            return _executed(self._transport.open_session(timeout=20), line)


def _executed(channel: paramiko.Channel, line: str) -> str:
    with channel:
        channel.settimeout(60)
        channel.exec_command(line)
        out = channel.makefile("rb").read().decode()
        err = channel.makefile_stderr("rb").read().decode()
        if channel.recv_exit_status() != 0:
            raise RuntimeError(f"{line}: {err.strip()}")
        return out
