"""One lock a volume, one a portal: a flock that a worker, its children and their programs share."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from helper.child import until
from instorage.wire.fault import Code, Fault

LOCKS = "/run/instorage/volumes"
HELD: dict[int, str] = {}
"""Descriptors of the locks that this process holds, with the volume's UID."""


@contextlib.contextmanager
def hold(uid: str, op: str, deadline: float) -> Iterator[None]:
    """Hold the lock of a volume or portal; `Fault(LOCK_TIMEOUT)` names who had it until `deadline`."""
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    lock = os.open(f"{LOCKS}/{uid}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not until(lambda: _taken(lock), deadline):
            holder = os.pread(lock, 200, 0).decode("utf-8", "replace")
            text = f"{uid} is still worked on by {holder}: ask again, or see /run/instorage/abandoned."
            raise Fault(Code.LOCK_TIMEOUT, text, uid=uid, holder=holder)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"operation {op}, process {os.getpid()}, since {time.ctime()}".encode(), 0)
        HELD[lock] = uid
        yield
    finally:
        HELD.pop(lock, None)
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
