"""QEMU's machine protocol, one connection a machine."""

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

from tools.lab.fault import LabFault


class Monitor:
    """A connection to QEMU's control socket; safe to call from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._lock = threading.Lock()
        self._lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    @classmethod
    def connect(cls, path: Path, timeout: float) -> "Monitor":
        """Connect, or raise OSError. `timeout` in seconds, for each answer."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            connection.connect(str(path))
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def execute(self, command: str, **arguments: Any) -> Any:  # noqa: ANN401  JSON of any shape
        """Send one command and return its answer."""
        request = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        with self._lock:
            self._connection.sendall(request)
            while line := self._lines.readline():
                answer = json.loads(line)
                if "event" not in answer:
                    break
            else:
                raise LabFault("lab-machine-gone", f"QEMU ended during {command}.")
        if "error" in answer:
            raise LabFault("lab-monitor-refused", f"QEMU refused {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def human(self, line: str) -> str:
        """Run a line of QEMU's human monitor and return what it prints."""
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._lines.close()
        self._connection.close()
