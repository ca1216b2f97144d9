"""The configuration as it changes: re-read when its file did; a broken one leaves the old one in force."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.configuration import shadow
from instorage.configuration.settings import Configuration, load
from instorage.file_stamp import Stamp, stamp
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path


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
            now = stamp(self._path, self._key_file)  # the key opens the file's shadows
            if now is None or now != self._stamp:
                try:
                    self._held = load(self._path, need_host=self._need_host, key_file=self._key_file)
                    self.trouble = None
                except Fault as fault:
                    self.trouble = fault
                self._stamp = now
            if self._held is not None:
                return self._held
            raise self.trouble or AssertionError("neither a configuration nor a fault")
