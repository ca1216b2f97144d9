"""`instoragectl release VOLUME --from NODE`: an administrator takes a volume from a node that is gone.

What keeps a pod from starting on a second node is the first node's mapping. It is removed only when the array
says, twice, that the node is logged out; while it is logged in only by the administrator's own word, since
that node may be writing and loses the volume under its mount (safety.md 14).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Code, Fault
from nodeagent.administration.array import USER
from nodeagent.host import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName

PAUSE_SECONDS = 2.0  # a login that is just being made anew must not look like a dead node


def release(configuration: Path, volume: VolumeName, node: str, *, logged_in: bool) -> Iterator[str]:
    """Remove the volume's mapping to a node on every array, yield lines for people.

    `logged_in` is the administrator's word that it may be removed from a node that is logged in.
    `Fault(VOLUME_MISSING)` when no array has the volume, VOLUME_MAPPED when the node lives.
    """
    from instorage.arrays.pool import array_client
    from instorage.configuration.settings import load
    from nodeagent.host.paths import Paths

    found = load(configuration)
    assert found.host is not None  # noqa: S101  # demanded by load
    hosts = identity.host_objects(found.host, node)
    leave_root(USER)
    known = False
    for entry in found.storage:
        array = array_client(entry, Paths.from_environment().state / "known_hosts")
        with contextlib.closing(array):
            if array.find_volume(volume) is not None:
                known = True
                yield _release(array, volume, node, hosts, logged_in=logged_in)
    if not known:
        named = ", ".join(entry.name for entry in found.storage)
        text = f"No volume {volume} is on {named}: correct the name; a PV's volume has the PV's name."
        raise Fault(Code.VOLUME_MISSING, text, volume=volume)


def _release(array: Array, volume: VolumeName, node: str, hosts: tuple[str, ...], *, logged_in: bool) -> str:
    mappings = array.mappings(volume)
    held = next((mapping.host for mapping in mappings if mapping.host in hosts), None)
    if held is None:
        others = ", ".join(sorted({mapping.host for mapping in mappings}))
        where = f"it is mapped to {others}" if others else "it is mapped to no host"
        return f"Array {array.name} does not map {volume} to {node} ({' or '.join(hosts)}); {where}."
    if not logged_in and (_lives(array, held) or _lives_still(array, held)):
        text = (
            f"Array {array.name} says that host {held} is logged in, so node {node} lives and may have "
            f"volume {volume} mounted: end its pod there. If that node must lose the volume all the same, "
            "repeat this with --although-logged-in; what it has not written is lost then."
        )
        raise Fault(Code.VOLUME_MAPPED, text, volume=volume, host=held, array=array.name)
    array.unmap_volume(volume, held)
    return f"Array {array.name} no longer maps {volume} to {node} (host {held}): the node is fenced from it."


def _lives(array: Array, host: str) -> bool:
    found = array.find_host(host)
    return found is not None and found.logged_in


def _lives_still(array: Array, host: str) -> bool:
    time.sleep(PAUSE_SECONDS)  # the pause is the point: the two answers must not share one moment
    return _lives(array, host)
