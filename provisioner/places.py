"""Where the provisioner's things lie on a host."""

from __future__ import annotations

import os
from pathlib import Path

DIRECTORY = Path("/opt/inspur-instorage-provisioner")
CONFIGURATION = DIRECTORY / "config" / "instorage.yaml"
KUBECONFIG = DIRECTORY / "config" / "kubeconfig"
STATE = Path("/var/lib/instorage-provisioner")
USER = "instorage-provisioner"


def state() -> Path:
    """Return the directory of the key and of the arrays' pinned host keys: systemd's, else the usual one."""
    return Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or STATE)


def key_file() -> Path:
    """Return the file of the private key that signs volumes."""
    return state() / "volume.key"


def known_hosts() -> Path:
    """Return the file of the arrays' pinned host keys."""
    return state() / "known_hosts"
