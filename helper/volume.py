"""One lock a volume, one a portal: a flock that a worker, its children and their programs share."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from helper import abandoned
from helper.child import until
from helper.scsi import read
from instorage.wire.fault import Code, Fault

LOCKS = "/run/instorage/volumes"
_MOMENT = 2  # seconds
HELD: dict[int, str] = {}
"""Descriptors of the locks that this process holds, with the volume's UID."""


@contextlib.contextmanager
def hold(uid: str, op: str, deadline: float, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock of a volume or portal; `Fault(LOCK_TIMEOUT)` names who had it until `deadline`.

    `how`: `LOCK_SH` lets others have it as well who ask for that.

    Not waited for beyond a moment while a process of an earlier call is stuck in the kernel with it: callers
    who wait in vain would take the place of those who ask for other volumes.
    """
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    path = f"{LOCKS}/{uid}.lock"
    lock = until(lambda: taken(path, how), min(deadline, time.monotonic() + _MOMENT))
    stuck = not lock and abandoned.count(uid)
    if not (lock or stuck):
        lock = until(lambda: taken(path, how), deadline)
    if not lock:
        holder = read(path)
        why = f"{stuck} processes of it are stuck in the kernel, see {abandoned.FOLDER}"
        text = f"{uid} is still worked on by {holder}: {why if stuck else 'ask again'}."
        raise Fault(Code.LOCK_TIMEOUT, text, uid=uid, holder=holder)
    try:
        with contextlib.suppress(OSError):  # for the sentence above alone: a full /run stops nothing
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"operation {op}, process {os.getpid()}, since {time.ctime()}".encode(), 0)
        HELD[lock] = uid
        yield
    finally:
        HELD.pop(lock, None)
        os.close(lock)
        if last := taken(path):  # neither an abandoned child nor the next one has it: /run must not fill
            os.unlink(path)
            os.close(last)


def taken(path: str, how: int = fcntl.LOCK_EX, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Return a descriptor that has the lock, 0 while somebody else has it or is replacing the file."""
    lock = os.open(path, flags, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError), contextlib.ExitStack() as stack:
        stack.callback(os.close, lock)
        fcntl.flock(lock, how | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.stat(path)):
            stack.pop_all()
            return lock
    return 0
