"""The configuration as it changes: re-read when its file did; a broken one leaves the old one in force.

Editors write a file in pieces, and the first half may well be a valid configuration: an array is missing, a
password is cut, `host.fence` has its default again. So what differs from what is in force counts when nobody
has written to the file for a moment.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from instorage.configuration import cipher_key
from instorage.configuration.settings import Configuration, load
from instorage.file_stamp import Stamp, marks, rested, stamp
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

REST_SECONDS = 1.0  # without a write: then the file is whole
LONGEST_SECONDS = 3.0  # that a caller waits for that
_LOOK = 0.05


class ConfigurationFile:
    """One file, asked for before each operation: `current` costs two stat calls while nothing changed.

    Thread-safe. `trouble` is why the file as it is now cannot be used, None when it can.
    """

    def __init__(self, path: Path, *, need_host: bool = True, key_file: Path = cipher_key.KEY_FILE) -> None:
        self._path = path
        self._need_host = need_host
        self._key_file = key_file
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._held: Configuration | None = None
        self._patient_from = 0.0
        self.trouble: Fault | None = None

    def current(self) -> Configuration:
        """Return the configuration in force; raise its `Fault` only when there never was a good one.

        Waits a second when the file has just changed; while it is written on and on, one caller waits three.
        """
        with self._lock:
            now = stamp(self._path, self._key_file)  # the key opens the file's shadows
            if now is None or now != self._stamp:
                self._read(now)
            if self._held is not None:
                return self._held
            raise self.trouble or AssertionError("neither a configuration nor a fault")

    def _read(self, now: Stamp | None) -> None:
        """Take what the file says, if it is what is in force or nobody writes to it any more."""
        found = self._load()
        if found != self._held:
            patience = LONGEST_SECONDS if time.monotonic() >= self._patient_from else 0.0
            whole = rested(self._path, REST_SECONDS, patience, _LOOK)
            now, found = stamp(self._path, self._key_file), self._load()
            if whole is None or whole != marks(self._path):  # somebody writes
                self.trouble = self.trouble if self._held else self._unfinished()
                self._patient_from = (
                    time.monotonic() + LONGEST_SECONDS
                )  # those who queue here do not wait, too
                return
        self._stamp = now
        if isinstance(found, Fault):
            self.trouble = found
        else:
            self._held, self.trouble = found, None

    def _load(self) -> Configuration | Fault:
        try:
            return load(self._path, need_host=self._need_host, key_file=self._key_file)
        except Fault as fault:
            return fault

    def _unfinished(self) -> Fault:
        return Fault(
            Code.BAD_CONFIGURATION,
            f"{self._path} is being written: it is read when nobody has written to it for a second.",
            file=str(self._path),
        )
