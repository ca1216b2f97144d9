"""The one place that starts programs: absolute paths, empty environment, no input, a deadline, no shell."""

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass

from helper import child, volume
from instorage.wire.fault import Code, Fault

DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
PACKAGES = {  # program: package of Debian, of Red Hat
    "iscsiadm": ("open-iscsi", "iscsi-initiator-utils"),
    "multipath": ("multipath-tools", "device-mapper-multipath"),
    "blkid": ("util-linux", "util-linux"),
    "mkfs.ext3": ("e2fsprogs", "e2fsprogs"),
    "mkfs.ext4": ("e2fsprogs", "e2fsprogs"),
    "mkfs.xfs": ("xfsprogs", "xfsprogs"),
    "fsck.ext4": ("e2fsprogs", "e2fsprogs"),
}
MAX_OUTPUT = 65536  # bytes that are kept of each stream


@dataclass(frozen=True)
class Answer:
    """What a program said; `out` and `error` are capped."""

    status: int
    out: str
    error: str


def run(program: str, *arguments: str, deadline: float, accept: tuple[int, ...] = (0,)) -> Answer:
    """Run a program of the table until `deadline` (monotonic seconds).

    Raises `Fault` TOOL_MISSING, TIMEOUT, or TOOL_FAILED for an exit status that is not in `accept`.
    """
    process = subprocess.Popen(
        (_path(program), *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C"},
        cwd="/",
        process_group=None if child.inside else 0,
        pass_fds=tuple(volume.HELD),  # a program that cannot be killed keeps its volume locked
    )
    streams = _read(process, deadline)
    if streams is None:
        process.kill() if child.inside else os.killpg(process.pid, signal.SIGKILL)
        child.give_up(process.pid, program, volume.held())
        process.returncode = -signal.SIGKILL  # reaped or abandoned: subprocess has nothing left to do
        raise Fault(
            Code.TIMEOUT, f"{program} did not end in time and was killed; see its service.", program=program
        )
    answer = Answer(process.wait(), *streams)
    if answer.status not in accept:
        said = (answer.error or answer.out).strip().replace("\n", " / ")[-300:]
        raise Fault(
            Code.TOOL_FAILED,
            f"{program} ended with status {answer.status}: {said or 'it said nothing'}.",
            program=program,
            status=answer.status,
        )
    return answer


def _path(program: str) -> str:
    for directory in DIRECTORIES:
        if os.access(f"{directory}/{program}", os.X_OK):
            return f"{directory}/{program}"
    debian, redhat = PACKAGES[program]
    raise Fault(
        Code.TOOL_MISSING,
        f"{program} is not installed on this node: install {debian} (Debian, Ubuntu) or {redhat} (RHEL).",
        program=program,
    )


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[str, str] | None:
    """Return both streams when both have ended, None at the deadline."""
    assert process.stdout  # noqa: S101  # for the type checker: both are pipes
    assert process.stderr  # noqa: S101
    kept = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    poll = select.poll()
    for descriptor in kept:
        poll.register(descriptor, select.POLLIN)
    running = set(kept)
    try:
        while running:
            if (left := deadline - time.monotonic()) <= 0:
                return None
            for descriptor, _ in poll.poll(left * 1000):
                data = os.read(descriptor, 16384)
                kept[descriptor] = (kept[descriptor] + data)[:MAX_OUTPUT]
                if not data:
                    poll.unregister(descriptor)
                    running.discard(descriptor)
    finally:
        process.stdout.close()
        process.stderr.close()
    out, error = (text.decode("utf-8", "replace") for text in kept.values())
    return out, error
