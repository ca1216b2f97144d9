"""Editors of a configuration: whole and by pieces, broken for a moment, two of them in turn."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOMENT = 0.1  # seconds that a writer takes between two pieces


def renamed(path: Path, text: str) -> None:
    """Write it whole, and put it in place at once."""
    fresh = path.with_name(f".{time.monotonic_ns()}")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.rename(path)


def in_pieces(path: Path, text: str) -> None:
    """Write over it, and stop where what is there so far is a valid configuration without its last array."""
    with open(path, "w") as writing:
        writing.write(text[: text.rindex("- name:")])
        writing.flush()
        time.sleep(MOMENT)
        writing.write(text[text.rindex("- name:") :])


def cut_password(path: Path, text: str) -> None:
    """Write over it, and stop in the midst of a password."""
    with open(path, "w") as writing:
        writing.write(text[:-4])
        writing.flush()
        time.sleep(MOMENT)
        writing.write(text[-4:])


def broken_first(path: Path, text: str) -> None:
    """Save something that is no YAML, and mend it."""
    path.write_text("storage: [")
    time.sleep(MOMENT)
    path.write_text(text)


def with_backup(path: Path, text: str) -> None:
    """Move the old one away and write a new one in its place by pieces, as some editors do."""
    os.replace(path, path.with_name("instorage.yaml~"))
    time.sleep(MOMENT / 2)
    path.touch(0o600)
    in_pieces(path, text)


WAYS: tuple[Callable[[Path, str], None], ...] = (renamed, in_pieces, cut_password, broken_first, with_backup)


@dataclass(frozen=True)
class Arrays:
    """A text of the configuration: what each name leads to, "" for no array of that name."""

    host: str
    ports: tuple[int, int]
    second: str = "storage-02"
    password: str = "passw0rd"
    fence: str = "node-lost"

    @property
    def text(self) -> str:
        entries = [("storage-01", self.ports[0], "passw0rd")]
        entries += [(self.second, self.ports[1], self.password)] if self.second else []
        text = f"{self.host}  fence: {self.fence}\nstorage:\n"
        for name, port, password in entries:
            text += f"- name: {name}\n  type: AS18000\n  host: 127.0.0.1:{port}\n"
            text += f"  username: superuser\n  password: {password}\n"
        return text

    def outcome(self, storage: str) -> str:
        """What a call for an array of that name meets."""
        if storage == "storage-01":
            return "success"
        if storage != self.second:
            return "missing"
        return "success" if self.password == "passw0rd" else "refused"


def changes(first: Arrays) -> Iterator[Arrays]:
    """Yield what becomes of the second array, for ever; every other one is the first one or nearly so."""
    while True:
        for more in (
            {"fence": "never"},
            {},
            {"second": "storage-new"},
            {},
            {"second": ""},
            {},
            {"password": "wrong-one"},
            {},
        ):
            yield Arrays(first.host, first.ports, **more)
