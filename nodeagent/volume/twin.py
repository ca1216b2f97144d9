"""Another machine that uses this one's InitiatorName, as far as one look at the array tells.

The array takes both for one host and shows each the other's volumes. What tells them apart: it counts logins
of the name at more of its nodes than this machine has sessions with. A session that the array has not missed
yet looks the same for a while (this machine was reset), and sessions of this machine's own hide the other's:
so «more» is never explained away, and «not more» is no proof of more than that nobody is seen. WWPNs are
burnt into the hardware: they are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeagent.host import sessions

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.model import Host, HostPort
    from instorage.arrays.protocol import Array


@dataclass(frozen=True)
class Twin:
    """What one look has found: `port` has logins at more nodes than `ours`, which this machine has.

    `why` is a whole sentence, `mend` too.
    """

    array: str
    host: str
    port: HostPort
    ours: int

    @property
    def why(self) -> str:
        """Say what was seen and what it means."""
        return (
            f"The array counts {self.port.name} (host object {self.host}) as logged in at {self.port.logins} "
            f"of its nodes, and this machine has sessions with {self.ours}: the others are its own from "
            "before it was reset, which end within some minutes, or those of another machine that uses its "
            "InitiatorName and may write to this volume."
        )

    @property
    def mend(self) -> str:
        """Say how the doubt ends."""
        return (
            "It is tried again by itself. If it stays so, find that machine (a clone, or a host of another "
            "cluster), end its pods, and give one of both a name of its own in "
            "/etc/iscsi/initiatorname.iscsi."
        )


def nodes(array: Array, sysfs: Path) -> int:
    """Count the array's nodes that this machine has a session with, in whichever state: each has an IQN."""
    targets = {target.iqn.lower() for target in array.iscsi_targets()}
    return len({session.target.lower() for session in sessions.sessions(sysfs)} & targets)


def seen(
    array: Array, host: Host, own: frozenset[str], sysfs: Path, before: int | None = None
) -> Twin | None:
    """Return what shows another machine behind one of `own` ports of the host object; None: nothing does.

    `before`: this machine's sessions when one was seen first; those that it has opened since hide others.
    """
    for port in host.ports:
        if port.kind != "iscsi" or port.logins == 0 or port.name.casefold() not in own:
            continue  # nothing is asked of the array
        now = nodes(array, sysfs)
        ours = now if before is None else min(now, before)
        if port.logins > ours:
            return Twin(array.name, host.name, port, ours)
    return None
