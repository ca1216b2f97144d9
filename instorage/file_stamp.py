"""Whether a file is still the one that was read: its marks cost one stat call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Stamp = tuple[tuple[int, int, int, int], ...]
_SETTLED = 2_000_000_000  # ns


def stamp(*paths: Path) -> Stamp | None:
    """Return the marks of the files, before they are read; None: their next change might not show in them.

    Time stamps are coarse (a jiffy; two seconds on FAT), so a file that has just changed has no marks yet.
    """
    marks = tuple(_marks(path) for path in paths)
    now = time.time_ns()
    settled = all(now - changed > _SETTLED for _, _, *times in marks for changed in times)
    return marks if settled else None


def _marks(path: Path) -> tuple[int, int, int, int]:
    """Return inode, size, times of content and inode; a file that is not there has marks too."""
    try:
        found = path.stat()
    except OSError as error:
        return (-1, error.errno or 0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
