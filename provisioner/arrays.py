"""The arrays of the configuration, as it is now: one client each, made at the first use."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.configuration_file import ConfigurationFile
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.configuration import Configuration, StorageSettings

_LOG = logging.getLogger(__name__)


class Arrays:
    """Thread-safe. A changed file is used from the next call on; a broken one leaves the old in force."""

    def __init__(self, configuration: Path, known_hosts: Path) -> None:
        self._path = configuration
        self._file = ConfigurationFile(configuration, need_host=False)
        self._known_hosts = known_hosts
        self._guard = threading.Lock()
        self._clients: dict[str, tuple[StorageSettings, Array]] = {}
        self._said: set[str] = set()

    def configuration(self) -> Configuration:
        """Return the configuration in force; its `Fault` when there never was a good one."""
        try:
            found = self._file.current()
        finally:
            if self._file.trouble is not None:
                self._say(self._file.trouble.sentence)
        for warning in found.warnings:
            self._say(warning)
        return found

    def get(self, name: str | None) -> Array:
        """Return the client of the array `name`, of the first one for None."""
        configuration = self.configuration()
        entry = configuration.array(name)
        if entry is None:
            known = ", ".join(storage.name for storage in configuration.storage)
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"Array {str(name)[:80]!r} is not in {self._path} (there: {known}): add it, or correct the "
                "parameter storageName of the StorageClass.",
                array=str(name)[:80],
            )
        with self._guard:
            found = self._clients.get(entry.name)
            if found is not None and found[0] == entry:
                return found[1]
            endpoint = Endpoint(entry.name, entry.address, entry.port, entry.username, entry.password.reveal)
            client = As18000(endpoint, self._known_hosts)
            self._clients[entry.name] = (entry, client)
        if found is not None:
            found[1].close()  # a command under way on it ends by its own rules
        return client

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            clients, self._clients = list(self._clients.values()), {}
        for _, client in clients:
            client.close()

    def _say(self, sentence: str) -> None:
        with self._guard:
            new = sentence not in self._said
            self._said.add(sentence)
        if new:
            _LOG.warning("%s", sentence)
