"""Which version of the SELinux module was loaded, and which are brought by what is installed here.

selinux/load.sh writes «VERSION DIGEST» of what it loaded; the same is made here of what lies there now.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.looks import Looks

LOADED: Final = "/etc/instorage/selinux-policy"
PACKAGE: Final = "/usr/share/instorage-selinux"
NODE: Final = "/usr/lib/instorage/current/selinux"
_PLACES: Final = "/etc/instorage/places"
_DIGITS: Final = 16
_VERSION: Final = re.compile(rb"^policy_module\(instorage, *([0-9.]+)\)", re.MULTILINE)


def loaded(host: Host) -> str:
    """Return the mark of what was loaded, empty when nothing says it."""
    try:
        return " ".join(host.looks.text(LOADED).split())
    except OSError:
        return ""


def brought(host: Host) -> dict[str, str]:
    """Return the mark of each policy that lies on the host by its folder; OSError when one cannot be read."""
    folder = host.setup.provisioner
    places = (NODE, *((f"{folder}/python/selinux",) if folder else ()), PACKAGE)
    marks = {place: mark(host.looks, place) for place in places}
    return {place: found for place, found in marks.items() if found}


def mark(looks: Looks, place: str) -> str:
    """Return the mark of the policy that lies in `place`, empty when there is none; OSError."""
    return str(looks.answer(" ".join(("policy", place)), lambda: _made(looks, place)))


def _made(looks: Looks, place: str) -> str:
    at = looks.at(place)
    if not (at / "load.sh").exists():
        return ""
    version = _VERSION.search((at / "instorage.te").read_bytes())
    digest = hashlib.sha256()
    for file in (*sorted(at.glob("instorage.??")), *sorted(at.glob("compat/*.if"))):
        digest.update(file.read_bytes())
    digest.update(_labels(looks, at))
    return f"{version[1].decode() if version else ''} {digest.hexdigest()[:_DIGITS]}"


def _labels(looks: Looks, at: Path) -> bytes:
    """Return the labels of directories that are not the usual ones, which the mark is of, too."""
    told = f"INSTORAGE_PLACES_FILE={looks.at(_PLACES)}"
    ran = looks.run("env", told, "/bin/sh", str(at / "load.sh"), "labels")
    if ran is None or ran.status:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(at))
    return ran.out.encode()
