"""Work that can hang in the kernel, done in forked children with a deadline.

SIGKILL does not end a wait in the kernel. At its deadline such a child is abandoned and listed below
`ABANDONED`; it has inherited the lock of its volume, which stays locked for as long as the child lives.
The guardian of a freeze is listed from its beginning: the helper does not leave before any of them.
All deadlines are monotonic seconds.
"""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from instorage.wire.fault import Code, Fault

T = TypeVar("T")
Job = Callable[[], T]

ABANDONED = "/run/instorage/abandoned"
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

    With a `grace`, the others get only so many seconds once the first has succeeded.
    """
    children = []
    for job in jobs:
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            _work(job, writing)
        os.close(writing)
        children.append((pid, reading))
    answers, running = collect([pipe for _, pipe in children], deadline, grace=grace)
    for pid, pipe in children:
        os.close(pipe)
        if pipe in running:
            with contextlib.suppress(ProcessLookupError):  # it had no group of its own yet
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        give_up(pid, what, volume)
    late = Fault(Code.TIMEOUT, f"{what} did not answer in time and was given up.", what=what)
    return [late if pipe in running else _understood(answers[pipe], what) for _, pipe in children]


def collect(
    pipes: Sequence[int], deadline: float, *, most: int = 1 << 24, grace: float = 0
) -> tuple[dict[int, bytes], set[int]]:
    """Read until all pipes have ended; return at most `most` bytes of each, and those still open."""
    answers, running = dict.fromkeys(pipes, b""), set(pipes)
    while running and (left := deadline - time.monotonic()) > 0:
        for pipe in select.select(running, (), (), left)[0]:
            data = os.read(pipe, 65536)
            answers[pipe] = (answers[pipe] + data)[:most]
            if not data:
                running.discard(pipe)
                if grace and answers[pipe].startswith(b'{"value"'):
                    deadline = min(deadline, time.monotonic() + grace)
    return answers, running


def enter() -> None:
    """Become a child that keeps nothing of its parent's alive and is a process group of its own."""
    global inside
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)
    inside = True
    for descriptor in PRIVATE:
        os.close(descriptor)


def _work(job: Job[object], writing: int) -> NoReturn:
    answer: dict[str, object] = {}
    try:
        enter()
        answer = {"value": job()}
    except Fault as fault:
        answer = {"fault": fault.to_wire()}
    except OSError as error:
        answer = {"errno": error.errno or 5, "text": error.strerror or type(error).__name__}
    except Exception as error:  # whatever it was, the parent must hear of it
        answer = {"fault": Fault(Code.INTERNAL, f"A child failed: {error!r}.").to_wire()}
    finally:
        with contextlib.suppress(Exception):  # a child never returns to its parent's work
            data = json.dumps(answer).encode()
            while data:
                data = data[os.write(writing, data) :]
        os._exit(0)


def _understood(data: bytes, what: str) -> Any | Exception:  # noqa: ANN401  # what the job returned
    answer = json.loads(data or b"{}")
    if "errno" in answer:
        return OSError(answer["errno"], answer["text"])
    if "value" in answer:
        return answer["value"]
    return Fault.from_wire(answer.get("fault", {"code": "internal", "sentence": f"{what}: a child died."}))


def give_up(pid: int, what: str, volume: str, seconds: float = _AFTER_KILL) -> None:
    """Wait a moment for a child of ours that must end now; list it as abandoned when it does not."""
    if not until(lambda: os.waitpid(pid, os.WNOHANG)[0], time.monotonic() + seconds, 0.001):
        enlist(pid, what, volume)
    elif os.path.exists(f"{ABANDONED}/{pid}"):
        os.unlink(f"{ABANDONED}/{pid}")


def enlist(pid: int, what: str, volume: str) -> None:
    """List a child that must not be left alone while it lives."""
    os.makedirs(ABANDONED, mode=0o700, exist_ok=True)
    with open(f"{ABANDONED}/{pid}", "w", encoding="utf-8") as record:
        json.dump({"pid": pid, "start": started(pid), "what": what, "volume": volume}, record)


def started(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot (proc(5)), empty when it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def abandoned() -> int:
    """Return how many abandoned children still live; forget those that ended."""
    living = 0
    for name in os.listdir(ABANDONED) if os.path.isdir(ABANDONED) else ():
        with open(f"{ABANDONED}/{name}", encoding="utf-8") as file:
            start = file.read().partition('"start": "')[2].partition('"')[0]
        if start and started(int(name)) == start:
            living += 1
        else:
            os.unlink(f"{ABANDONED}/{name}")
    return living
