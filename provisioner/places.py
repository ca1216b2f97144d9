"""Where the provisioner's things lie on a host."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from instorage import places

STATE = Path("/var/lib/instorage-provisioner")
USER = "instorage-provisioner"


def directory() -> Path:
    """Return the provisioner's directory: the running program's, if a configuration lies there too."""
    beside = Path(sys.argv[0]).absolute().parent
    return beside if (beside / "config").is_dir() else places.provisioner()


def configuration() -> Path:
    """Return the configuration of the arrays."""
    return directory() / "config" / "instorage.yaml"


def kubeconfig() -> Path:
    """Return the access to Kubernetes as an administrator puts it."""
    return directory() / "config" / "kubeconfig"


def state() -> Path:
    """Return the directory of the key and of the arrays' pinned host keys: systemd's, else the usual one."""
    return Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or STATE)


def key_file() -> Path:
    """Return the file of the private key that signs volumes."""
    return state() / "volume.key"


def known_hosts() -> Path:
    """Return the file of the arrays' pinned host keys."""
    return state() / "known_hosts"
