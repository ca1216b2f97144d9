"""The host lock: shared or exclusive between connections, and towards other programs; the kernel keeps it.

Each worker has flocks of its own. Shared ones stand beside each other: the first keeps other programs out,
the last lets them in again, and a worker's end gives its own up, whatever ended it. Seconds are monotonic.
"""

import contextlib
import fcntl
import os
import time

from helper import child, volume
from helper.scsi import read
from instorage.wire.fault import Code, Fault
from instorage.wire.host_lock import LockMode, LockReply, LockRequest
from instorage.wire.verbs import Empty

HOST_LOCK = "/run/instorage/host.lock"
_AGAIN = 0.05  # seconds between two looks at a lock that somebody else has
_HOW = {LockMode.SHARED: fcntl.LOCK_SH, LockMode.EXCLUSIVE: fcntl.LOCK_EX}


class HostLock:
    """The lock of one connection; `until` is when its lease ends, None without one."""

    def __init__(self, *paths: str) -> None:
        self._paths = (HOST_LOCK, *paths)
        self._files: list[int] = []
        self._mode: LockMode | None = None
        self.until: float | None = None
        self.not_locked: list[str] = []  # files that could not be locked towards other programs, and why

    def take(self, request: LockRequest, _: object) -> LockReply:
        """Take or renew the lock; `Fault(LOCK_TIMEOUT)` names who has it once it was waited for in vain."""
        mode, deadline = request.mode, time.monotonic() + request.wait_ms / 1000
        if self._mode not in (None, mode):
            raise Fault(Code.BAD_REQUEST, f"The host lock is held {self._mode} here: give it up first.")
        if self._mode is None:
            if turn := child.until(lambda: volume.taken(f"{HOST_LOCK}.turn"), deadline, _AGAIN):
                with os.fdopen(turn, "rb"):  # then nobody overtakes it
                    if child.until(lambda: self._all(_HOW[mode]), deadline, _AGAIN):
                        self._mode = mode
            if self._mode is None:
                holder = next(filter(None, map(_holder, self._paths)), "a claim that came first")
                text = f"The lock of this host was not free in time: it is held by {holder}. Ask again later."
                raise Fault(Code.LOCK_TIMEOUT, text, holder=holder)
            with contextlib.suppress(OSError), open(HOST_LOCK, "w", encoding="ascii") as file:
                file.write(f"operation {request.op} ({mode}), process {os.getpid()}")  # for `_holder`
        self.until = time.monotonic() + request.lease_ms / 1000
        return LockReply(tuple(self.not_locked))

    def give_up(self, *_: object) -> Empty:
        """Give the lock up, and with it the lease."""
        self.drop()
        self.until = None
        return Empty()

    def drop(self) -> None:
        """Give the lock up; that a lease has ended is still known."""
        child.PRIVATE.difference_update(self._files)
        while self._files:
            os.close(self._files.pop())
        self._mode = None

    def _all(self, how: int) -> bool:
        """Lock every file without waiting, or none of them; others' files are never made."""
        self.not_locked = []
        for path in self._paths:
            try:
                lock = volume.taken(path, how, os.O_NONBLOCK | os.O_CREAT * (path == HOST_LOCK))
            except OSError as error:
                if path == HOST_LOCK:
                    raise
                self.not_locked.append(f"{path}: {error.strerror}")
                continue
            if not lock:
                self.drop()
                return False
            self._files.append(lock)
            child.PRIVATE.add(lock)
        return True


def _holder(path: str) -> str:
    """Name who has a flock, as /proc/locks shows it; of ours who took it last, if that still has it."""
    with contextlib.suppress(OSError), open("/proc/locks", encoding="ascii") as lines:
        facts = os.stat(path)
        place = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
        processes = [line.split()[4] for line in lines if f" {place} " in line and ": FLOCK " in line]
        said = read(path) if path == HOST_LOCK else ""
        if processes:
            return said if said.rpartition(" ")[2] in processes else f"process {processes[0]} ({path})"
    return ""
