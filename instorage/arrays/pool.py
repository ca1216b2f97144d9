"""One client an array of the configuration, made at the first use and dropped when its entry changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, StorageSettings


def array_client(entry: StorageSettings, known_hosts: Path) -> Array:
    """Return a client of the array of this entry; nothing is connected yet."""
    from instorage.arrays.as18000 import As18000  # paramiko is slow to import: not before it is needed
    from instorage.arrays.endpoint import Endpoint

    login = (entry.username, entry.password.reveal)
    endpoint = Endpoint(entry.name, entry.address, entry.port, *login, legacy=entry.ssh_legacy)
    return As18000(endpoint, known_hosts)


class ArrayPool:
    """The array clients of this process; safe for several threads."""

    def __init__(self, build: Callable[[StorageSettings], Array]) -> None:
        self._build = build
        self._guard = threading.Lock()
        self._arrays: dict[str, tuple[StorageSettings, Array]] = {}

    def get(self, configuration: Configuration, name: str | None) -> Array:
        """Return the client of the array of that name (None: the first in the configuration)."""
        entry = configuration.array(name)
        if entry is None:
            known = ", ".join(storage.name for storage in configuration.storage)
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"Array {str(name)[:80]!r} is not in {configuration.path} (there: {known}): add it, or "
                "correct storageName in the PV or StorageClass.",
                array=str(name)[:80],
            )
        with self._guard:
            found = self._arrays.get(entry.name)
            if found is not None and found[0] == entry:
                return found[1]
            array = self._build(entry)
            self._arrays[entry.name] = (entry, array)
        if found is not None:
            found[1].close()  # a command under way on it ends by its own rules
        return array

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            arrays, self._arrays = list(self._arrays.values()), {}
        for _, array in arrays:
            array.close()
