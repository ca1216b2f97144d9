"""The list of processes that must not be left alone while they live: stuck in the kernel, or guardians.

A file each below `FOLDER`, whose name says process and volume: a full /run takes no text. The helper does not
leave before any of them.
"""

import contextlib
import os
import time

FOLDER = "/run/instorage/abandoned"


def enlist(pid: int, what: str, volume: str) -> None:
    """List a process."""
    with contextlib.suppress(OSError):
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        with open(f"{FOLDER}/{mark(pid)}-{volume}", "w", encoding="utf-8") as record:
            record.write(f"{what}, since {time.ctime()}\n")


def _facts(pid: int) -> list[str]:
    """Return state, parent, process group and so on of a process (proc(5)); empty when it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
        return [] if fields[0] in "ZX" else fields
    return []


def mark(pid: int) -> str:
    """Return a name for a process that no later one can have: when it was started is a part of it."""
    return f"{pid}-{next(iter(_facts(pid)[19:]), '')}"


def lives(marked: str) -> bool:
    """Return whether the process of a `mark` still lives."""
    pid, _, start = marked.partition("-")
    return pid.isdigit() and bool(start) and mark(int(pid)) == marked


def count(volume: str = "") -> int:
    """Return how many listed processes still live, of one volume or of all; forget those that ended."""
    living = 0
    for name in os.listdir(FOLDER) if os.path.isdir(FOLDER) else ():
        whose, _, of = name.rpartition("-")
        if not lives(whose):
            with contextlib.suppress(OSError):
                os.unlink(f"{FOLDER}/{name}")
        elif volume in ("", of):
            living += 1
    return living


def group(leader: int) -> list[int]:
    """Return the other living processes of a process group that was killed."""
    others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {leader}
    return [pid for pid in others if _facts(pid)[2:3] == [str(leader)]]
