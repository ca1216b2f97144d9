"""The arrays of the configuration, as it is now."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instorage.arrays.pool import ArrayPool, array_client
from instorage.configuration.file import ConfigurationFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, LogSettings

_LOG = logging.getLogger(__name__)


class Arrays:
    """Thread-safe. A changed file is used from the next call on; a broken one leaves the old in force."""

    def __init__(
        self, configuration: Path, known_hosts: Path, apply: Callable[[LogSettings], None] = lambda _: None
    ) -> None:
        self._file = ConfigurationFile(configuration, need_host=False)
        self._pool = ArrayPool(lambda entry: array_client(entry, known_hosts))
        self._apply = apply
        self._guard = threading.Lock()
        self._said: set[str] = set()

    def configuration(self) -> Configuration:
        """Return the configuration in force; its `Fault` when there never was a good one."""
        try:
            found = self._file.current()
        finally:
            if self._file.trouble is not None:
                self._say(self._file.trouble.sentence)
        self._apply(found.log)
        for warning in found.warnings:
            self._say(warning)
        return found

    def get(self, name: str | None) -> Array:
        """Return the client of the array `name`, of the first one for None."""
        return self._pool.get(self.configuration(), name)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _say(self, sentence: str) -> None:
        with self._guard:
            new = sentence not in self._said
            self._said.add(sentence)
        if new:
            _LOG.warning("%s", sentence)
