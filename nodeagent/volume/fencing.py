"""Taking a volume from another host: what must hold before its mapping goes (safety.md 14).

A node that lives and loses the volume under its mount loses what it has not written. So the array is asked
twice whether it is gone: in a fail-over of the SAN all sessions of a living node may be out at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.arrays.protocol import Array

PAUSE_SECONDS = 3.0  # between both looks: longer than a session takes to come back over another path


def why_it_lives(array: Array, host: str) -> str:
    """Return why a node must be taken for living; empty: the array says twice that it is logged out.

    A host object that the array does not show, and has a mapping to, says nothing of its logins.
    """
    for last in (False, True):
        found = array.find_host(host)
        if found is None:
            return f"array {array.name} maps it to host {host} and does not show that host"
        if found.logged_in:
            return f"its host object {host} is logged in, so the node lives"
        if not last:
            time.sleep(PAUSE_SECONDS)  # the pause is the point: the two answers must not share one moment
    return ""
