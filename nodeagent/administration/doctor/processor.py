"""How long a process was ready to run and had no processor: what looks like a slow array and is a busy node.

The kernel counts it for each thread (`schedstat`, nanoseconds: run, waited; since 2.6.23). Unlike
/proc/pressure it is there before 4.20, says nothing of other programs, and anybody may read it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_SECOND = 1e9  # ns


def waited(process: int | str = "self") -> float:
    """Return the seconds that a process's living threads waited for a processor; 0 where none are counted."""
    found = 0
    for place in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # the thread ended meanwhile
            found += int(place.read_text(encoding="ascii").split()[1])
    return found / _SECOND
