"""The one place that starts programs: absolute paths, empty environment, no input, a deadline, no shell."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from helper import child, journal, volume
from helper.confinement import confine
from instorage.wire.fault import Code, Fault

DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
PACKAGES = {  # program: package of Debian, of Red Hat
    **{"iscsiadm": ("open-iscsi", "iscsi-initiator-utils"), "mkfs.xfs": ("xfsprogs", "xfsprogs")},
    "multipath": ("multipath-tools", "device-mapper-multipath"),
    **{"blkid": ("util-linux", "util-linux"), "systemctl": ("systemd", "systemd")},
    **dict.fromkeys(("mkfs.ext3", "mkfs.ext4", "fsck.ext4"), ("e2fsprogs", "e2fsprogs")),
}
_LAST = 0.2  # seconds for a program to end after its output has
ANY = tuple(range(256))  # exit statuses
MAX_OUTPUT = 65536  # bytes that are kept of each stream


class Answer(NamedTuple):
    """What a program said; `out` and `error` are capped."""

    status: int
    out: str
    error: str


def run(
    program: str, *arguments: str, deadline: float, accept: tuple[int, ...] = (0,), device: str = ""
) -> Answer:
    """Run a program of the table until `deadline` (monotonic seconds).

    `device`: it reads what an array sent, and is confined to that block device. Raises `Fault` TOOL_MISSING,
    TIMEOUT, or TOOL_FAILED for an exit status that is not in `accept`.
    """
    begun = time.monotonic()
    powerless = not program.startswith("mkfs.xfs")  # which must set the block size of its device
    alone = (lambda: confine(device, powerless=powerless)) if device else None
    process = _started((path(program), *arguments), alone)
    assert process.stdout  # noqa: S101  # for the type checker
    assert process.stderr  # noqa: S101
    with process.stdout as out, process.stderr as error:
        pipes = (out.fileno(), error.fileno())
        said, _ = child.collect(pipes, deadline, most=MAX_OUTPUT)
    # its output may have ended before it has
    if not child.until(lambda: process.poll() is not None, max(deadline, time.monotonic() + _LAST), 0.001):
        _kill(process, program)
        journal.ran(program, begun, "killed")
        text = f"{program} did not end in time and was killed; see the journal of its service."
        raise Fault(Code.TIMEOUT, text, program=program)
    answer = Answer(process.returncode, *(said[pipe].decode("utf-8", "replace") for pipe in pipes))
    journal.ran(program, begun, f"status {answer.status}")
    if answer.status not in accept:
        words = (answer.error or answer.out).strip().replace("\n", " / ")[-300:] or "it said nothing"
        text = f"{program} ended with status {answer.status}: {words}."
        raise Fault(Code.TOOL_FAILED, text, program=program, status=answer.status)
    return answer


def _started(argv: tuple[str, ...], before: Callable[[], None] | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"LC_ALL": "C"}, cwd="/", preexec_fn=before, process_group=None if child.inside else 0,
            pass_fds=tuple(volume.HELD),  # a program that cannot be killed keeps its volume locked
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        text = f"{argv[0]} cannot be confined on this kernel, and was not started: {error}"
        raise Fault(Code.TOOL_FAILED, text, program=argv[0]) from None


def _kill(process: subprocess.Popen[bytes], program: str) -> None:
    process.kill() if child.inside else child.kill_group(process.pid)
    uid = next(iter(volume.HELD.values()), "")
    child.give_up(process.pid, program, uid, group=not child.inside)
    process.returncode = -signal.SIGKILL  # reaped or abandoned: nothing left for subprocess to do


def path(program: str) -> str:
    """Return where a program of the table is; `Fault(TOOL_MISSING)` names the package."""
    for directory in DIRECTORIES:
        if os.access(f"{directory}/{program}", os.X_OK):
            return f"{directory}/{program}"
    debian, redhat = PACKAGES[program]
    text = f"{program} is not installed on this node: install {debian} (Debian, Ubuntu) or {redhat} (RHEL)."
    raise Fault(Code.TOOL_MISSING, text, program=program)
