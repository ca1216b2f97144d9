"""The configuration as it changes: re-read when its file did; a broken one leaves the old one in force."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from instorage import shadow
from instorage.configuration import Configuration, load
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[tuple[int, int, int, int], ...]
_SETTLED = 2_000_000_000  # ns


class ConfigurationFile:
    """One file, asked for before each operation: `current` costs two stat calls while nothing changed.

    Thread-safe. `trouble` is why the file as it is now cannot be used, None when it can.
    """

    def __init__(self, path: Path, *, need_host: bool = True, key_file: Path = shadow.KEY_FILE) -> None:
        self._path = path
        self._need_host = need_host
        self._key_file = key_file
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._held: Configuration | None = None
        self.trouble: Fault | None = None

    def current(self) -> Configuration:
        """Return the configuration in force; raise its `Fault` only when there never was a good one."""
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                try:
                    self._held = load(self._path, need_host=self._need_host, key_file=self._key_file)
                    self.trouble = None
                except Fault as fault:
                    self.trouble = fault
                self._stamp = stamp if _settled(stamp) else None
            if self._held is not None:
                return self._held
            raise self.trouble or AssertionError("neither a configuration nor a fault")

    def _stamp_now(self) -> Stamp:
        """Return the marks of the file and of the key that opens its shadows."""
        return tuple(_marks(path) for path in (self._path, self._key_file))


def _marks(path: Path) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        return (-1, error.errno or 0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _settled(stamp: Stamp) -> bool:
    """Say whether a later change surely shows: time stamps are coarse (a jiffy; two seconds on FAT)."""
    now = time.time_ns()
    return all(now - changed > _SETTLED for _, _, *times in stamp for changed in times)
