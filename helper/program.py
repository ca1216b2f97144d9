"""The one place that starts programs: absolute paths, empty environment, no input, a deadline, no shell."""

import ctypes
import os
import signal
import struct
import subprocess
from typing import NamedTuple

from helper import child, volume
from instorage.wire.fault import Code, Fault

DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
PACKAGES = {  # program: package of Debian, of Red Hat
    "iscsiadm": ("open-iscsi", "iscsi-initiator-utils"),
    "multipath": ("multipath-tools", "device-mapper-multipath"),
    "blkid": ("util-linux", "util-linux"),
    "mkfs.xfs": ("xfsprogs", "xfsprogs"),
    **dict.fromkeys(("mkfs.ext3", "mkfs.ext4", "fsck.ext4"), ("e2fsprogs", "e2fsprogs")),
}
MAX_OUTPUT = 65536  # bytes that are kept of each stream


class Answer(NamedTuple):
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
        preexec_fn=_powerless if program.startswith(("blkid", "fsck", "mkfs.ext")) else None,
        process_group=None if child.inside else 0,
        pass_fds=tuple(volume.HELD),  # a program that cannot be killed keeps its volume locked
    )
    assert process.stdout  # noqa: S101  # for the type checker
    assert process.stderr  # noqa: S101
    with process.stdout as out, process.stderr as error:
        pipes = (out.fileno(), error.fileno())
        said, late = child.collect(pipes, deadline, most=MAX_OUTPUT)
    if late:
        process.kill() if child.inside else os.killpg(process.pid, signal.SIGKILL)
        child.give_up(process.pid, program, next(iter(volume.HELD.values()), ""))
        process.returncode = -signal.SIGKILL  # reaped or abandoned: nothing left for subprocess to do
        text = f"{program} did not end in time and was killed; see the journal of its service."
        raise Fault(Code.TIMEOUT, text, program=program)
    answer = Answer(process.wait(), *(said[pipe].decode("utf-8", "replace") for pipe in pipes))
    if answer.status not in accept:
        words = (answer.error or answer.out).strip().replace("\n", " / ")[-300:] or "it said nothing"
        text = f"{program} ended with status {answer.status}: {words}."
        raise Fault(Code.TOOL_FAILED, text, program=program, status=answer.status)
    return answer


def _powerless() -> None:
    """Give up every capability: what reads an array's data needs none. NoNewPrivileges gives none back."""
    ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24))  # capset(2), version 3


def _path(program: str) -> str:
    for directory in DIRECTORIES:
        if os.access(f"{directory}/{program}", os.X_OK):
            return f"{directory}/{program}"
    debian, redhat = PACKAGES[program]
    text = f"{program} is not installed on this node: install {debian} (Debian, Ubuntu) or {redhat} (RHEL)."
    raise Fault(Code.TOOL_MISSING, text, program=program)
