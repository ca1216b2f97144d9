"""Taking a volume from another host: what must hold before its mapping goes (safety.md 14).

A node that lives and loses the volume under its mount loses what it has not written. So the array is asked
twice whether it is gone: in a fail-over of the SAN all sessions of a living node may be out at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instorage.arrays.protocol import Array

PAUSE_SECONDS = 3.0  # between both looks: longer than a session takes to come back over another path


def why_it_lives(array: Array, hosts: Sequence[str], between: Callable[[], None] = lambda: None) -> str:
    """Return why a node must be taken for living; empty: the array says twice that it is logged out.

    `hosts` are all of its host objects that have the volume: it may be logged in by any one. One that the
    array does not show, and has a mapping to, says nothing of its logins. `between` is done in the pause.
    """
    began = time.monotonic()
    if why := _logged_in(array, hosts):
        return why
    between()
    time.sleep(max(began + PAUSE_SECONDS - time.monotonic(), 0.0))  # two answers must not share one moment
    return _logged_in(array, hosts)


def _logged_in(array: Array, hosts: Sequence[str]) -> str:
    for host in hosts:
        found = array.find_host(host)
        if found is None:
            return f"array {array.name} maps it to host {host} and does not show that host"
        if found.logged_in:
            return f"its host object {host} is logged in, so the node lives"
    return ""
