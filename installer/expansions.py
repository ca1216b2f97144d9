"""Active-active expansions that are under way on this host: a restart of the agent would break them off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from installer import agent, records, services

if TYPE_CHECKING:
    from installer.host import Host
    from installer.saying import Refusals

DIRECTORY: Final = "/var/lib/instorage-helper/aa"
RUNNING: Final = re.compile(r'"state": *"running"')


def under_way(host: Host) -> list[str]:
    """Return the volume of each, with its record's place.

    A record that cannot be read may be one. Where no agent runs none is under way: that is broken off, and
    the agent that is to come says so.
    """
    if not (host.boots and services.is_active(agent.AGENT)):
        return []
    return records.volumes(host, DIRECTORY, lambda text: not text or bool(RUNNING.search(text)))


def look(refusals: Refusals, host: Host) -> None:
    """Refuse to restart the agent under one."""
    for volume in under_way(host):
        refusals.add(
            f"volume {volume} is being expanded by this node, and a restart of its agent would break that "
            "off: wait until instoragectl barrier show does not call it running any more."
        )
