"""Another machine that uses this one's InitiatorName: a clone, or a host of another cluster.

The array takes both for one host and shows each the other's volumes. What tells them apart here: the array
counts logins at more of its nodes than this machine has sessions with. A session that the array has not
missed yet looks the same for a moment (this machine was reset, a path broke): so it is said only when two
looks, some minutes apart, find it. WWPNs are burnt into the hardware: they are not looked at.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nodeagent.volume import twin

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.model import Host, HostPort
    from instorage.arrays.protocol import Array

AGAIN_SECONDS = 180.0  # longer than an array keeps a session whose machine is gone
_LOG = logging.getLogger(__name__)


def look(array: Array, host: Host, suspected: set[str], sysfs: Path) -> None:
    """Compare the logins of this machine's host object with its sessions.

    `suspected` are the names of which the last look had found more logins; this one puts its own there.
    """
    for port in host.ports:
        key = f"{array.name} {port.name.casefold()}"
        before = key in suspected
        suspected.discard(key)
        if port.kind != "iscsi" or port.logins == 0:
            continue  # nothing is asked of the array
        ours = twin.nodes(array, sysfs)
        if port.logins <= ours:
            continue
        suspected.add(key)
        if before:
            _say(array, host, port, ours)


def _say(array: Array, host: Host, port: HostPort, ours: int) -> None:
    _LOG.warning(
        "Array %s says that %s (host object %s) is logged in at %d of its nodes, and this machine has "
        "sessions with %d: another machine uses this one's InitiatorName, and each sees the other's "
        "volumes. Find it (a clone, or a host of another cluster) and give it a name of its own in "
        "/etc/iscsi/initiatorname.iscsi, while it has no volume attached.",
        array.name, port.name, host.name, port.logins, ours,
    )  # fmt: skip
