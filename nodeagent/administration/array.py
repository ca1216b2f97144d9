"""The array that an administrator's command asks: by the agent's user, who owns the pinned host keys."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, StorageSettings

USER = "instorage-agent"


@contextlib.contextmanager
def open_array(configuration: Path, name: str | None) -> Iterator[Array]:
    """Give a client of a configured array (None: the first); root becomes the agent's user for good."""
    from instorage.configuration.settings import load

    found = load(configuration, need_host=False)
    entry = found.array(name)
    if entry is None:
        known = ", ".join(one.name for one in found.storage)
        raise Fault(Code.BAD_REQUEST, f"There is no array {name!r} in {configuration}: known are {known}.")
    _leave_root()
    with client(entry) as array:
        yield array


def meant(found: Configuration, storage: str | None) -> list[StorageSettings]:
    """Return the arrays that `--storage` means, all without it; BAD_REQUEST: there is none of that name."""
    entries = [entry for entry in found.storage if storage in (None, entry.name)]
    if not entries:
        named = ", ".join(entry.name for entry in found.storage)
        text = f"--storage {storage}: no array of that name is in {found.path} (there: {named})."
        raise Fault(Code.BAD_REQUEST, text, array=storage or "")
    return entries


def client(entry: StorageSettings) -> contextlib.closing[Array]:
    """Return a client of an array; only the agent's user has the pinned host keys, so root is left before."""
    from instorage.arrays.pool import array_client
    from nodeagent.host.paths import Paths

    return contextlib.closing(array_client(entry, Paths.from_environment().state / "known_hosts"))


def _leave_root() -> None:
    leave_root(USER)
