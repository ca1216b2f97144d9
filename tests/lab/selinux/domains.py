"""In which domain a service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.lab import Machine


def domain(node: Machine, unit: str, limit: float) -> str:
    """Return the type in which a unit's main process runs; `limit`: seconds for each command."""
    pid = node.run(f"systemctl show -p MainPID --value {unit}", limit).stdout.strip()
    return node.run(f"cat /proc/{pid}/attr/current", limit).stdout.strip("\0\n ").split(":")[2]
