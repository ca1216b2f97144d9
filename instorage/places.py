"""Where an installation lies on this host: what `/etc/instorage/places` says, which the installer writes.

One file for services, for programs that a person starts, and for people: lines KEY=VALUE, a value perhaps in
quotes, as systemd's `EnvironmentFile=` takes them. A variable of the same name in the environment (a drop-in
of an administrator) wins; what neither says lies where it always did. Each function reads the file anew, and
raises `Fault(BAD_CONFIGURATION)` for one that cannot be read: that is not the same as one that is not there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path("/etc/instorage/places")
PLUGIN = Path("/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume")
KUBELET_ROOT = "/var/lib/kubelet"
PROVISIONER = Path("/opt/inspur-instorage-provisioner")


def plugin(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the plugin directory: where the stub lies, and `config/instorage.yaml` of the node."""
    return Path(_absolute("INSTORAGE_PLUGIN", _said("INSTORAGE_PLUGIN", environment) or str(PLUGIN)))


def kubelet_roots() -> tuple[str, ...]:
    """Return kubelet's directories (its `--root-dir`), at least one."""
    said = _said("INSTORAGE_KUBELET_ROOTS", os.environ).replace(",", " ").split() or [KUBELET_ROOT]
    return tuple(_absolute("INSTORAGE_KUBELET_ROOTS", root) for root in said)


def provisioner() -> Path:
    """Return the provisioner's directory."""
    said = _said("INSTORAGE_PROVISIONER", os.environ)
    return Path(_absolute("INSTORAGE_PROVISIONER", said or str(PROVISIONER)))


def read(file: Path) -> dict[str, str]:
    """Return what a file of this form says; nothing when there is no such file."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _bad(f"{file} cannot be read ({why}): mend it, or run install.sh again.") from None
    pairs = (line.strip().partition("=") for line in text.splitlines())
    return {key: _bare(value) for key, equals, value in pairs if equals and not key.startswith(("#", ";"))}


def _bare(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value.strip()


def _said(key: str, environment: Mapping[str, str]) -> str:
    return environment.get(key) or read(FILE).get(key, "")


def _absolute(key: str, path: str) -> str:
    if not path.startswith("/") or not path.isprintable():
        raise _bad(f"{key} is {path[:80]!r}, which is no path from «/» on: correct it in {FILE}.")
    return path


def _bad(sentence: str) -> Fault:
    return Fault(Code.BAD_CONFIGURATION, sentence, file=str(FILE))
