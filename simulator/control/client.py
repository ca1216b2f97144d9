"""A client for orders to a running simulator, of which `simulator.control` is the list.

The next mkvdisk is carried out, and its answer lost with the connection:

    with Control(path) as control:
        control.do("fault", command="mkvdisk", after="connection")
"""

import json
import socket
import threading
from pathlib import Path
from typing import Any, Self

TIMEOUT = 60.0


class ControlError(Exception):
    """The simulator refused an order; the text says why."""


class Control:
    """A client of the control socket; thread safe. Raises ControlError, OSError."""

    def __init__(self, path: str | Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")
        self._lock = threading.Lock()

    def do(self, verb: str, **fields: Any) -> Any:  # noqa: ANN401
        """Give an order and return its result."""
        with self._lock:
            self._file.write(json.dumps({"do": verb, **fields}).encode() + b"\n")
            self._file.flush()
            line = self._file.readline()
        if not line:
            raise ControlError("the simulator closed the control connection")
        reply = json.loads(line)
        if not reply["ok"]:
            raise ControlError(reply["error"])
        return reply["result"]

    def close(self) -> None:
        """Close the connection; faults stay in force."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
