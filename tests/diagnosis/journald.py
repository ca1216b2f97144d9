"""journald's part: takes what the processes send, and gives it back as `journalctl -o json` prints it."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "instorage-nodeagent.service"  # what journald would say of this process, as the kernel tells it


class Journald:
    """Listens on a socket of its own from `start` to `stop`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, str]] = []
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._listening.bind(str(path))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Journald:
        self._thread.start()
        return self

    def stop(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self._thread.join(10)
        self._listening.close()

    def _run(self) -> None:
        while record := self._listening.recv(1 << 20):
            trusted = {"__REALTIME_TIMESTAMP": str(int(time.time() * 1e6)), "_SYSTEMD_UNIT": UNIT}
            self.entries.append(parsed(record) | trusted)

    def exported(self, file: Path) -> Path:
        """Write what came so far, as journalctl prints it: what is no text as a list of bytes."""
        lines = [json.dumps({key: _shown(value) for key, value in one.items()}) for one in self.entries]
        file.write_text("\n".join(lines) + "\n")
        return file


def _shown(value: str) -> str | list[int]:
    return value if value.isprintable() else list(value.encode())


def parsed(record: bytes) -> dict[str, str]:
    """The fields of a record in the native protocol, each value with its length."""
    found = {}
    while record:
        name, _, rest = record.partition(b"\n")
        (length,) = struct.unpack_from("<Q", rest)
        found[name.decode()] = rest[8 : 8 + length].decode()
        record = rest[9 + length :]
    return found
