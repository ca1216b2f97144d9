"""What is on a node: every file, user and group, without what a running system changes by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.lab import Machine

CHANGING = (
    *("/root", "/tmp", "/var/tmp", "/var/cache", "/var/lib/systemd", "/var/lib/kubelet", "/var/lib/dpkg"),
    *("/etc/iscsi", "/var/lib/iscsi", "/etc/multipath/wwids", "/etc/multipath/bindings"),
)
"""Directories and files of others: open-iscsi's, multipathd's and dpkg's records, kubelet's directories."""
BACKUP = re.compile(r"/etc/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-)")
KEPT = re.compile(
    r"/etc/instorage(/.*)?|.*/inspur~instorage-flexvolume(/config(/instorage\.yaml)?)?"
    r"|/var/lib/instorage(-helper)?(/.*)?|instorage(-agent)?:.*"
)
"""Configuration, keys that were pinned, and their owner: with --purge they go, too."""


def footprint(machine: Machine) -> frozenset[str]:
    """Return paths of files and directories, and lines of the user and group databases."""
    pruned = " -o ".join(f"-path {path}" for path in CHANGING)
    listed = machine.run(f"find / -xdev \\( {pruned} \\) -prune -o -print; getent passwd; getent group")
    return frozenset(line for line in listed.stdout.splitlines() if not BACKUP.fullmatch(line))
