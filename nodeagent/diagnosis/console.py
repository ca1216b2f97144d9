"""Where a command of an answer is typed, and what it is good for there, where it does not say so itself."""

from __future__ import annotations

_PLACES = (
    ("./install.sh", "in the folder of the unpacked archive, on that host, as root"),
    ("kubectl ", "where kubectl works"),
    ("mcs", "on the array's command line (SSH)"),
    (
        "instoragectl adopt",
        "on the provisioner's host, as root; what it prints goes into config/adopted on the nodes",
    ),
    (
        "instoragectl barrier plan",
        "on that node, as root; it changes nothing. «instoragectl barrier resume» does what it prints",
    ),
    ("instoragectl release", "on any node, as root"),
)
"""By how a command begins, the first that fits."""


def place(command: str, *, tell: bool) -> str:
    """Return where the command is typed, in words; `tell`: who must act has no login on a node."""
    for start, where in _PLACES:
        if command.startswith(start):
            return where
    if "instorage-provisioner" in command:
        return "on the provisioner's host, as root"
    if tell:
        return "on that node, as root; it shows what that administrator must be told"
    return "on that node, as root"
