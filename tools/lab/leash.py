"""Runs a machine only as long as its owner lives: `leash.py DIRECTORY PROGRAM ARGUMENT...`.

Standard input is a pipe that the owner holds. A byte on it ends the program; its end (the owner closed
it, or died in whatever way) ends the program and removes DIRECTORY. The program also dies with this
process. A death signal set by the owner itself would not do: Linux sends it when the *thread* that
started the program ends.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def main(directory: str, argv: list[str]) -> int:
    """Run `argv` on the leash and return its exit status."""
    libc = ctypes.CDLL(None, use_errno=True)
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    )
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([0, ended], [], [])
    if ended in ready:
        return child.wait()
    owner_lives = bool(os.read(0, 1))
    child.kill()
    child.wait()
    if not owner_lives:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
