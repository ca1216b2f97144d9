"""Work that can hang in the kernel, done in forked children with a deadline.

SIGKILL does not end a wait in the kernel. At its deadline such a child is abandoned and listed below
`ABANDONED`; it has inherited the lock of its volume, which stays locked for as long as the child lives.
"""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from helper.waiting import until
from instorage.wire.fault import Code, Fault

T = TypeVar("T")

ABANDONED = "/run/instorage/abandoned"
_AFTER_KILL = 0.2  # seconds that a killed process gets to end

inside = False
"""True in a child: the programs that it starts stay in its process group and end with it."""

PRIVATE: set[int] = set()
"""Descriptors that children close: an abandoned one must not keep the agent's connection open."""


def apart(job: Callable[[], T], deadline: float, what: str, volume: str = "") -> T:
    """Return what `job` returns (plain JSON values), raise what it raises, or `Fault(TIMEOUT)`."""
    (found,) = gather([job], deadline, what, volume)
    if isinstance(found, Exception):
        raise found
    return found


def gather(
    jobs: Sequence[Callable[[], T]], deadline: float, what: str, volume: str = "", grace: float = 0
) -> list[T | Exception]:
    """Run every job in a child of its own, all at once; the answers stand in the order of the jobs.

    With a `grace`, the others get only so many seconds once the first has succeeded.
    """
    children = [_start(job) for job in jobs]
    answers = {pipe: b"" for _, pipe in children}
    poll = select.poll()
    for pipe in answers:
        poll.register(pipe, select.POLLIN)
    running = set(answers)
    while running and (left := deadline - time.monotonic()) > 0:
        for pipe, _ in poll.poll(left * 1000):
            data = os.read(pipe, 65536)
            answers[pipe] += data
            if not data:
                poll.unregister(pipe)
                running.discard(pipe)
                if grace and answers[pipe].startswith(b'{"value"'):
                    deadline = min(deadline, time.monotonic() + grace)
    return [_end(pid, pipe, answers[pipe], pipe in running, what, volume) for pid, pipe in children]


def _start(job: Callable[[], object]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _work(job, writing)
    os.close(writing)
    return pid, reading


def _work(job: Callable[[], object], writing: int) -> NoReturn:
    global inside
    answer: dict[str, object] = {"fault": Fault(Code.INTERNAL, "A child of the helper failed.").to_wire()}
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        inside = True
        for descriptor in PRIVATE:
            os.close(descriptor)
        answer = {"value": job()}
    except Fault as fault:
        answer = {"fault": fault.to_wire()}
    except OSError as error:
        answer = {"errno": error.errno or 5, "text": error.strerror or type(error).__name__}
    except Exception as error:  # whatever it was, the parent must hear of it
        answer = {"fault": Fault(Code.INTERNAL, f"A child of the helper failed: {error!r}.").to_wire()}
    finally:
        data = json.dumps(answer).encode()
        while data:
            data = data[os.write(writing, data) :]
        os._exit(0)


def _end(pid: int, pipe: int, data: bytes, late: bool, what: str, volume: str) -> Any | Exception:  # noqa: ANN401, FBT001
    os.close(pipe)
    if late:
        with contextlib.suppress(ProcessLookupError):  # it had no group of its own yet
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    give_up(pid, what, volume)
    if late:
        return Fault(Code.TIMEOUT, f"{what} did not answer in time and was given up.", what=what)
    answer = json.loads(data or b"{}")
    if "errno" in answer:
        return OSError(answer["errno"], answer["text"])
    if "value" in answer:
        return answer["value"]
    return Fault.from_wire(answer.get("fault", {"code": "internal", "sentence": f"{what}: a child died."}))


def give_up(pid: int, what: str, volume: str) -> bool:
    """Wait a moment for a child of ours that must end now; list it as abandoned when it does not."""
    if until(lambda: os.waitpid(pid, os.WNOHANG)[0], time.monotonic() + _AFTER_KILL, 0.001):
        return False
    os.makedirs(ABANDONED, mode=0o700, exist_ok=True)
    with open(f"{ABANDONED}/{pid}", "w", encoding="utf-8") as record:
        json.dump({"pid": pid, "start": started(pid), "what": what, "volume": volume}, record)
    return True


def started(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot (proc(5)), empty when it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def abandoned() -> int:
    """Return how many abandoned children still live; forget those that ended."""
    living = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(ABANDONED):
            try:
                with open(f"{ABANDONED}/{name}", encoding="utf-8") as file:
                    start = json.load(file)["start"]
            except ValueError:  # half written by a process that was killed
                start = ""
            if start and started(int(name)) == start:
                living += 1
            else:
                os.unlink(f"{ABANDONED}/{name}")
    return living
