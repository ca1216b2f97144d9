"""SELinux: the policy module goes into the policy of a host that has one, and out of it again.

What it does is in selinux/load.sh, which the package instorage-selinux calls as well. An archive brings it; a
package of a part does not, for that package is by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer.host import run
from installer.saying import complain

if TYPE_CHECKING:
    from installer.host import Host

SCRIPT: Final = "selinux/load.sh"
OF_PACKAGE: Final = Path("/usr/share/instorage-selinux/load.sh")
LIMIT: Final = 600  # seconds: a policy is linked anew, and everything of ours labelled


def load(host: Host, archive: Path) -> None:
    """Load the module and label what is there; a host that cannot have it works without, and is told."""
    for script in (archive / SCRIPT, OF_PACKAGE):
        if script.is_file():
            _do(host, str(script), "load")
            return


def text(archive: Path) -> str:
    """Return the archive's script, which goes with the parts; nothing for a package."""
    return (archive / SCRIPT).read_text() if (archive / SCRIPT).is_file() else ""


def remove(host: Host, script: str) -> None:
    """Take the module out, by the `text` of an archive: a package's goes with the package."""
    if script:
        _do(host, "-c", script, "load.sh", "remove")


def _do(host: Host, *arguments: str) -> None:
    if not host.live:
        return
    done = run("/bin/sh", *arguments, errors=True, limit=LIMIT)
    if done.status:
        complain(f"SELinux: {done.said}")
