"""One call of kubelet's as the C stub makes it: argv out, progress and an answer back."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Reply:
    """What the stub would print, and the progress that it saw."""

    status: int
    answer: dict[str, Any]
    progress: tuple[str, ...]
    seconds: float

    @property
    def message(self) -> str:
        return str(self.answer.get("message", ""))

    def success(self) -> Reply:
        assert self.answer["status"] == "Success", self.answer
        assert self.status == 0
        return self

    def failure(self, part: str = "") -> str:
        assert self.answer["status"] == "Failure", self.answer
        assert self.status == 1
        assert part in self.message
        return self.message


class Stub:
    """One call as the C stub makes it, on a thread; `leave` is its deadline."""

    def __init__(self, path: Path, argv: tuple[str, ...]) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(str(path))
        self._began = time.monotonic()
        self._connection.sendall(b"".join(argument.encode() + b"\0" for argument in argv))
        self._connection.shutdown(socket.SHUT_WR)
        self._data = b""
        self._done = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while piece := self._connection.recv(65536):
                self._data += piece
        except OSError:
            pass
        self._connection.close()
        self._seconds = time.monotonic() - self._began
        self._done.set()

    @property
    def progress(self) -> tuple[str, ...]:
        lines = self._data.decode().split("\n")
        return tuple(line[1:] for line in lines if line.startswith("P"))

    @property
    def answered(self) -> bool:
        return self._done.is_set()

    def leave(self) -> None:
        """Give up, as the stub does at its deadline."""
        self._connection.shutdown(socket.SHUT_RDWR)
        assert self._done.wait(5)

    def reply(self, seconds: float = 20) -> Reply:
        assert self._done.wait(seconds), f"no answer; progress: {self.progress}"
        text = self._data.decode()
        while text.startswith("P"):
            _, _, text = text.partition("\n")
        assert text, "the agent closed without an answer"
        assert text[0] in "01"
        return Reply(int(text[0]), json.loads(text[1:]), self.progress, self._seconds)
