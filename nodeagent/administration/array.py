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

USER = "instorage-agent"


@contextlib.contextmanager
def open_array(configuration: Path, name: str | None) -> Iterator[Array]:
    """Give a client of a configured array (None: the first); root becomes the agent's user for good."""
    from instorage.arrays.pool import array_client
    from instorage.configuration.settings import load
    from nodeagent.host.paths import Paths

    found = load(configuration, need_host=False)
    entry = found.array(name)
    if entry is None:
        known = ", ".join(one.name for one in found.storage)
        raise Fault(Code.BAD_REQUEST, f"There is no array {name!r} in {configuration}: known are {known}.")
    _leave_root()
    array = array_client(entry, Paths.from_environment().state / "known_hosts")
    try:
        yield array
    finally:
        array.close()


def _leave_root() -> None:
    leave_root(USER)
