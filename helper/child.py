"""Work that can hang in the kernel, done in forked children with a deadline.

SIGKILL does not end a wait in the kernel. At its deadline such a child is abandoned and listed (see
`abandoned`); it has inherited the lock of its volume, which stays locked for as long as the child lives.
All deadlines are monotonic seconds.
"""

import contextlib
import functools
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from helper import abandoned
from instorage.wire.fault import Code, Fault

T = TypeVar("T")
Job = Callable[[], T]
End = Callable[[bytes], bool] | None

_AFTER_KILL = 0.2  # seconds that a killed process gets to end

PRIVATE: set[int] = set()
"""Descriptors that children close: an abandoned one must not keep the agent's connection open."""
inside = False
"""True in a child: the programs that it starts stay in its process group and end with it."""


def until(look: Job[T], deadline: float, pause: float = 0.01) -> T:
    """Return what `look` returns as soon as it is true, or its last answer at `deadline`.

    Looks at least every 10 % of the time waited so far: many waiters must not slow down what they wait for.
    """
    begun = time.monotonic()
    while not (found := look()) and (now := time.monotonic()) < deadline:
        time.sleep(max(pause, min((now - begun) / 10, 0.5, deadline - now)))
    return found


def apart(job: Job[T], deadline: float, what: str, volume: str = "") -> T:
    """Return what `job` returns (plain JSON values), raise what it raises, or `Fault(TIMEOUT)`."""
    (found,) = gather([job], deadline, what, volume)
    if isinstance(found, Exception):
        raise found
    return found


def gather(
    jobs: Sequence[Job[T]], deadline: float, what: str, volume: str = "", grace: float = 0
) -> list[T | Exception]:
    """Run every job in a child of its own, all at once; the answers stand in the order of the jobs.

    With a `grace`, the others get only so many seconds once the first has succeeded. In a child the jobs are
    done there, one after the other: its own deadline ends them.
    """
    if inside:
        return [_understood(_answer(job), what) for job in jobs]
    children: dict[int, int] = {}
    running: set[int] = set()
    try:
        for job in jobs:
            reading, writing = os.pipe()
            running.add(reading)
            with os.fdopen(writing, "wb"):
                children[reading] = forked(functools.partial(_work, job, writing))
        answers, running = collect(list(children), deadline, grace=grace)
    finally:  # also where one process or descriptor was too many: what was started ends at once
        for pipe in running | children.keys():
            os.close(pipe)
        for pipe, pid in children.items():
            if pipe in running:
                kill_group(pid)
            give_up(pid, what, volume, group=pipe in running)
    return [_understood(answers[pipe], what, late=pipe in running) for pipe in children]


def collect(
    pipes: Sequence[int], deadline: float, *, most: int = 1 << 24, grace: float = 0, whole: End = None
) -> tuple[dict[int, bytes], set[int]]:
    """Read until all pipes have ended; return at most `most` bytes of each, and those still open.

    `whole`: tells what is complete already, of a peer that does not close.
    """
    answers, running = dict.fromkeys(pipes, b""), set(pipes)
    while running and (left := deadline - time.monotonic()) > 0:
        for pipe in select.select(running, (), (), left)[0]:
            data = os.read(pipe, 65536)
            answers[pipe] = (answers[pipe] + data)[:most]
            if not data or (whole and whole(answers[pipe])):
                running.discard(pipe)
                if grace and answers[pipe].startswith(b'{"value"'):
                    deadline = min(deadline, time.monotonic() + grace)
    return answers, running


def forked(job: Job[None]) -> int:
    """Have a child do `job` and end, whatever comes of it; return its process number.

    It keeps nothing of its parent's alive, and is a process group of its own.
    """
    global inside
    if (pid := os.fork()) == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setpgid(0, 0)
            inside = True
            for descriptor in PRIVATE:
                os.close(descriptor)
            job()
        finally:  # a child never returns to its parent's work
            os._exit(0)
    return pid


def _work(job: Job[object], writing: int) -> None:
    with open(writing, "wb", closefd=False) as pipe:
        pipe.write(_answer(job))


def _answer(job: Job[object]) -> bytes:
    """Do a job and return what came of it: whatever it was, who asked must hear of it."""
    answer: dict[str, object]
    try:
        answer = {"value": job()}
    except Fault as fault:
        answer = {"fault": fault.to_wire()}
    except OSError as error:
        answer = {"errno": error.errno or 5, "text": error.strerror or type(error).__name__}
    except Exception as error:
        answer = {"fault": Fault(Code.INTERNAL, f"A child failed: {error!r}.").to_wire()}
    return json.dumps(answer).encode()


def _understood(data: bytes, what: str, *, late: bool = False) -> Any | Exception:  # noqa: ANN401  # of the job
    if late:
        return Fault(Code.TIMEOUT, f"{what} did not answer in time and was given up.", what=what)
    answer = json.loads(data or b"{}")
    if "errno" in answer:
        return OSError(answer["errno"], answer["text"])
    if "value" in answer:
        return answer["value"]
    return Fault.from_wire(answer.get("fault", {"code": "internal", "sentence": f"{what}: a child died."}))


@contextlib.contextmanager
def keeping(job: Job[T], deadline: float, what: str, volume: str = "") -> Iterator[T]:
    """Have a child do `job` and live on, with all that it has opened, until the block ends.

    Opening a device and closing it may hang: neither is done by who answers the agent.
    """
    ours, theirs = socket.socketpair()

    def stay() -> None:
        ours.close()
        _work(job, theirs.fileno())
        theirs.shutdown(socket.SHUT_WR)
        theirs.recv(1)  # ends with the parent, too

    pid = forked(stay)
    theirs.close()
    PRIVATE.add(ours.fileno())  # one child more that has it, and an abandoned one would keep the device open
    try:
        answers, running = collect((ours.fileno(),), deadline)
        found = _understood(answers[ours.fileno()], what, late=bool(running))
        if isinstance(found, Exception):
            raise found
        yield found
    finally:
        PRIVATE.discard(ours.fileno())
        ours.close()
        give_up(pid, what, volume)


def kill_group(pid: int) -> None:
    """Kill a child and all that it has started."""
    for kill in (os.killpg, os.kill):  # it may have no group of its own yet
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def give_up(pid: int, what: str, volume: str, seconds: float = _AFTER_KILL, *, group: bool = False) -> None:
    """Wait a moment for a child of ours that must end now; list it as abandoned when it does not.

    `group`: also what it had started, which may be stuck in the kernel while the child itself has ended.
    """
    reaped = until(lambda: os.waitpid(pid, os.WNOHANG)[0], time.monotonic() + seconds, 0.001)
    for left in ([] if reaped else [pid]) + (abandoned.group(pid) if group else []):
        abandoned.enlist(left, what, volume)
    if reaped:
        abandoned.count()  # it is on the list no more
