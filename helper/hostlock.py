"""The host lock: shared or exclusive between connections, one flock towards other programs.

Lives in the supervisor, which never waits for it: `step` is called when something changed or `wake` is due.
"""

import os
import time
from dataclasses import dataclass

from filelock import FileLock, Timeout

from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import LockMode

HOST_LOCK = "/run/instorage/host.lock"
PROC_LOCKS = "/proc/locks"
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


Answers = list[tuple[int, Fault | tuple[str, ...]]]
"""For each worker that is answered: a fault, or the paths that could not be locked and why."""


class HostLock:
    """Grants claims in the order in which they came, so that shared ones never starve an exclusive one."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._held: dict[int, Claim] = {}
        self._waiting: list[Claim] = []
        self._files: list[FileLock] = []
        self._unlocked: tuple[str, ...] = ()
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
        if self._waiting and not self._held:
            times.append(time.monotonic() + _AGAIN)
        return min(times, default=None)

    def step(self) -> Answers:
        """End leases that ran out, grant what can be granted, refuse what has waited long enough."""
        now = time.monotonic()
        self._held = {worker: claim for worker, claim in self._held.items() if claim.until > now}
        answers: Answers = []
        while self._waiting and (answer := self._grant(self._waiting[0])) is not None:
            answers.append((self._waiting.pop(0).worker, answer))
        late = [claim for claim in self._waiting if claim.deadline <= now]
        self._waiting = [claim for claim in self._waiting if claim not in late]
        answers += [(claim.worker, self._refusal()) for claim in late]
        if not self._held:
            self._give_back()
        return answers

    def _grant(self, claim: Claim) -> Fault | tuple[str, ...] | None:
        own = self._held.get(claim.worker)
        if own and own.mode is not claim.mode:
            return Fault(Code.BAD_REQUEST, f"The host lock is held {own.mode} here: give it up first.")
        others = [one for worker, one in self._held.items() if worker != claim.worker]
        if any(LockMode.EXCLUSIVE in (claim.mode, one.mode) for one in others):
            return None
        if not self._held and not self._take():
            return None
        claim.until = time.monotonic() + claim.lease
        self._held[claim.worker] = claim
        return self._unlocked

    def _take(self) -> bool:
        """Take the flocks without waiting; False while another program has one."""
        unlocked = []
        for path in self._paths:
            try:
                if not self._take_one(os.path.realpath(path)):
                    self._give_back()
                    return False
            except OSError as error:
                unlocked.append(f"{path}: {error.strerror or error}")
        self._unlocked = tuple(unlocked)
        return True

    def _take_one(self, path: str) -> bool:
        if path != HOST_LOCK:
            os.stat(path)  # the file is another's: never made here
        # filelock before 4 truncated the file, which may be the configuration
        lock = FileLock(path, fallback_to_soft=False, preserve_lock_file=True, thread_local=False)
        before = os.stat(path).st_ino if os.path.exists(path) else None
        try:
            lock.acquire(blocking=False)
        except Timeout:
            self._stranger = f"{_owner(path)} ({path})"
            return False
        self._files.append(lock)
        return before in (None, os.stat(path).st_ino)  # an editor may just have replaced the file

    def _give_back(self) -> None:
        while self._files:
            self._files.pop().release()

    def _refusal(self) -> Fault:
        ops = ", ".join(f"operation {claim.op} ({claim.mode})" for claim in self._held.values())
        holder = ops or self._stranger or "a claim that came first"
        return Fault(
            Code.LOCK_TIMEOUT,
            f"The lock of this host was not free in time: it is held by {holder}. Ask again later.",
            holder=holder,
        )


def _owner(path: str) -> str:
    """Name the process that holds a flock, as /proc/locks shows it."""
    facts = os.stat(path)
    place = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    with open(PROC_LOCKS, encoding="ascii") as lines:
        for line in lines:
            fields = line.split()
            if place in fields and "FLOCK" in fields:
                pid = fields[fields.index(place) - 1]
                return f"process {pid}"
    return "another program"
