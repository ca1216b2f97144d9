"""What the archive holds: where a disk was full while it was unpacked, files are there in part.

Nothing else would tell before a program is wanted that is rarely started. What an administrator writes there
(deploy/, config/) is not listed. A package has no list: dpkg and rpm fail where a file cannot be written.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from installer import units
from installer.places import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from installer.saying import Refusals

FILE: Final = "CONTENTS"  # as sha256sum writes it; by its name the first file that is unpacked
FOLDERS: Final = {"node": ("node", NAMES[0]), "provisioner": (NAMES[1],)}
OF_BOTH: Final = ("installer", "install.sh", "man", "selinux", "systemd/older")


def look(refusals: Refusals, archive: Path, part: str) -> None:
    """Refuse an archive of which not all that the part needs is whole."""
    if not (archive / FILE).exists():
        return
    text = (archive / FILE).read_text(errors="replace")
    lines = [line.partition("  ") for line in text.splitlines()]
    torn = [name for digest, _, name in lines if _of(name, part) and _digest(archive / name) != digest]
    if not text.endswith("\n"):
        torn.append(FILE)
    if torn:
        more = f" and {len(torn) - 1} more" if torn[1:] else ""
        refusals.add(
            f"{archive / torn[0]}{more} is not what was packed: unpack the whole archive again, where there "
            "is room for it."
        )


def _of(name: str, part: str) -> bool:
    if name.startswith(tuple(f"{one}/" for one in (*FOLDERS[part], *OF_BOTH))) or name in OF_BOTH:
        return True
    return name.startswith("systemd/") and units.belongs(name.rpartition("/")[2], part)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
