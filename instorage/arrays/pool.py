"""One client an array of the configuration, made at the first use and dropped when its entry has changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.arrays.quarantine import Quarantine
    from instorage.configuration.settings import Configuration, StorageSettings

KEPT = 2  # clients of one array: of the entry as it is and as it was; an idle one has no connection


def array_client(entry: StorageSettings, known_hosts: Path, quarantine: Quarantine | None = None) -> Array:
    """Return a client of the array of this entry; nothing is connected yet. `quarantine`: see As18000."""
    from instorage.arrays.as18000 import As18000  # paramiko is slow to import: not before it is needed
    from instorage.arrays.endpoint import Endpoint

    login = (entry.username, entry.password.reveal)
    endpoint = Endpoint(entry.name, entry.address, entry.port, *login, legacy=entry.ssh_legacy)
    return As18000(endpoint, known_hosts, quarantine=quarantine)


class ArrayPool:
    """The array clients of this process; safe for several threads.

    While an entry changes, operations that began with the old one go on with the old client: one for each of
    the two, not one after the other, which would log in for each command and forget a refused password.
    """

    def __init__(self, build: Callable[[StorageSettings], Array]) -> None:
        self._build = build
        self._guard = threading.Lock()
        self._arrays: dict[str, dict[StorageSettings, Array]] = {}
        """By name, then by entry; the one that was asked for last at the end."""

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
            clients = self._arrays.setdefault(entry.name, {})
            array = clients.pop(entry, None) or self._build(entry)
            clients[entry] = array
            old = [clients.pop(next(iter(clients))) for _ in range(len(clients) - KEPT)]
        for one in old:
            one.close()  # a command under way on it ends by its own rules
        return array

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            arrays, self._arrays = self._arrays, {}
        for array in (array for clients in arrays.values() for array in clients.values()):
            array.close()
