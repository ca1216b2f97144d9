"""Over Fibre Channel: the line for `host.objects` that objects need which were made with the zoning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from installer.host import run
from installer.vendor import CONFIGURATION

if TYPE_CHECKING:
    from pathlib import Path

    from installer.host import Host

LINK: Final = re.compile(r"\blink:\s*[\"']?fc\b", re.ASCII)
LINE: Final = "host.objects: {"
ANSWER: Final = 60  # seconds for all arrays


def proposals(host: Host, plugin: str, program: Path) -> list[str]:
    """Return what `program` (instoragectl) proposes; nothing over iSCSI, or where no array can be asked."""
    path = host.path(f"{plugin}/{CONFIGURATION}")
    if not host.live or not path.is_file() or not LINK.search(path.read_text("utf-8", "replace")):
        return []
    said = run(str(program), "arrays", "--config", str(path), limit=ANSWER).said
    return [line for line in said.splitlines() if LINE in line]
