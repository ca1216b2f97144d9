"""The host lock: shared or exclusive between connections, one flock towards other programs.

Lives in the supervisor, which never waits for it: `step` is called when something changed or `wake` is due.
"""

import contextlib
import os
import time
from dataclasses import dataclass

from filelock import FileLock, Timeout

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import LockMode

HOST_LOCK = "/run/instorage/host.lock"
_AGAIN = 0.05  # seconds between two looks at a flock that another program holds


@dataclass
class Claim:
    """What a worker wants or has; `deadline` and `until` are monotonic seconds, `lease` is seconds."""

    worker: int
    op: str
    mode: LockMode
    lease: float
    deadline: float
    until: float = 0


class HostLock:
    """Grants claims in the order in which they came, so that shared ones never starve an exclusive one."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths
        self._held: dict[int, Claim] = {}
        self._waiting: list[Claim] = []
        self._files: list[FileLock] = []
        self.not_locked: list[str] = []  # files that could not be locked towards other programs, and why
        self._stranger = ""

    def ask(self, claim: Claim) -> None:
        """Queue a claim; one by a worker that has the lock renews it at once."""
        self._waiting.insert(0 if claim.worker in self._held else len(self._waiting), claim)

    def drop(self, worker: int) -> None:
        """Forget a worker: it gave the lock up, or ended."""
        self._held.pop(worker, None)
        self._waiting = [claim for claim in self._waiting if claim.worker != worker]

    def wake(self) -> float | None:
        """Return when `step` must be called next if nothing else happens (monotonic seconds)."""
        times = [claim.until for claim in self._held.values()] + [claim.deadline for claim in self._waiting]
        again = [time.monotonic() + _AGAIN] if self._waiting and not self._held else []
        return min(times + again, default=None)

    def step(self) -> list[tuple[int, Claim | Fault]]:
        """End leases that ran out, grant what can be granted, refuse what has waited long enough."""
        now = time.monotonic()
        self._held = {worker: claim for worker, claim in self._held.items() if claim.until > now}
        while self._files and not self._held:  # before the next grant, which locks them anew
            self._files.pop().release()
        answers: list[tuple[int, Claim | Fault]] = []
        while self._waiting and (answer := self._grant(self._waiting[0])) is not None:
            answers.append((self._waiting.pop(0).worker, answer))
        answers += [(claim.worker, self._refusal()) for claim in self._waiting if claim.deadline <= now]
        self._waiting = [claim for claim in self._waiting if claim.deadline > now]
        return answers

    def _grant(self, claim: Claim) -> Claim | Fault | None:
        own = self._held.get(claim.worker)
        if own and own.mode is not claim.mode:
            return Fault(Code.BAD_REQUEST, f"The host lock is held {own.mode} here: give it up first.")
        others = [one.mode for worker, one in self._held.items() if worker != claim.worker]
        if others and LockMode.EXCLUSIVE in (claim.mode, *others):
            return None
        if not self._held and not self._take():
            return None
        claim.until = time.monotonic() + claim.lease
        self._held[claim.worker] = claim
        return claim

    def _take(self) -> bool:
        """Take the flocks without waiting; False while another program has one."""
        self.not_locked = []
        for path in self._paths:
            real = os.path.realpath(path)
            # filelock before 4 truncated the file, which may be the configuration
            lock = FileLock(real, fallback_to_soft=False, preserve_lock_file=True, thread_local=False)
            try:
                before = os.stat(real).st_ino if path != HOST_LOCK else None  # others' files are never made
                lock.acquire(blocking=False)
                self._files.append(lock)
                if before not in (None, os.stat(os.path.realpath(path)).st_ino):
                    return False  # an editor has just replaced the file: again
            except Timeout:
                self._stranger = f"{_owner(real)} ({path})"
                return False
            except OSError as error:
                self.not_locked.append(f"{path}: {error.strerror or error}")
        return True

    def _refusal(self) -> Fault:
        ops = ", ".join(f"operation {claim.op} ({claim.mode})" for claim in self._held.values())
        holder = ops or self._stranger or "a claim that came first"
        text = f"The lock of this host was not free in time: it is held by {holder}. Ask again later."
        return Fault(Code.LOCK_TIMEOUT, text, holder=holder)


def _owner(path: str) -> str:
    """Name the process that holds a flock, as /proc/locks shows it."""
    facts = os.stat(path)
    place = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    with contextlib.suppress(StopIteration), open("/proc/locks", encoding="ascii") as lines:
        fields = next(line.split() for line in lines if f" {place} " in line and " FLOCK " in line)
        return f"process {fields[fields.index(place) - 1]}"
    return "another program"
