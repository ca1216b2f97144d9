"""May this node's agent be restarted: an active-active expansion that is under way would be broken off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from nodeagent.administration.doctor.host import Host

RESTART: Final = "systemctl restart instorage-nodeagent.service"
WAIT: Final = "instoragectl barrier show; the agent must not be restarted while an expansion is under way"
KEPT: Final = "/var/lib/instorage-helper/aa"
"""Where the helper keeps the record of each expansion."""
BARRIERS: Final = "barriers"
"""The look that says where barrier files are: as the configuration has it."""
_RUNNING: Final = re.compile(r'"state": *"running"')


def command(host: Host) -> str:
    """Return the restart; while an expansion is under way, or that cannot be told, what shows it."""
    try:
        return WAIT if _under_way(host) else RESTART
    except (OSError, Fault):
        return WAIT


def _under_way(host: Host) -> bool:
    """Say whether there is a barrier file, or a record of one that runs; one that is empty may be one."""
    looks = host.looks
    if any(looks.facts(path) is not None for path in looks.answer(BARRIERS, list)):
        return True
    texts = [looks.text(f"{KEPT}/{name}") for name in looks.names(KEPT) if not name.startswith(".")]
    return any(not text or _RUNNING.search(text) for text in texts)
