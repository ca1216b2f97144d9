"""Whether a file is still the one that was read, and whether somebody is writing it: by its marks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Marks = tuple[int, int, int, int]
Stamp = tuple[Marks, ...]
_SETTLED = 2_000_000_000  # ns


def stamp(*paths: Path) -> Stamp | None:
    """Return the marks of the files, before they are read; None: their next change might not show in them.

    Time stamps are coarse (a jiffy; two seconds on FAT), so a file that has just changed has no marks yet.
    """
    found = tuple(marks(path) for path in paths)
    now = time.time_ns()
    settled = all(now - changed > _SETTLED for _, _, *times in found for changed in times)
    return found if settled else None


def rested(path: Path, rest: float, longest: float, look: float) -> Marks | None:
    """Return the file's marks once nobody has written to it for `rest` seconds; None: that takes `longest`.

    By the file's own time, or, where that lies in the future or there is no file, by looking every `look`.
    """
    began = since = time.monotonic()
    found = marks(path)
    while True:
        inode, _, written, _ = found
        now = time.monotonic()
        if now - since >= rest or (inode >= 0 and rest * 1e9 <= time.time_ns() - written):
            return found
        if now - began >= longest:
            return None
        time.sleep(look)
        if (seen := marks(path)) != found:
            found, since = seen, time.monotonic()


def marks(path: Path) -> Marks:
    """Return inode, size, times of content and inode; a file that is not there has marks too."""
    try:
        found = path.stat()
    except OSError as error:
        return (-1, error.errno or 0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
