"""What is called an older kernel lacks what that kernel lacked, for a process and for all that it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.old_kernel.kernel import FIRST_MISSING

pytestmark = pytest.mark.subprocess

LOOK = """
import ctypes, errno, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
machine = os.uname().machine == "x86_64"
numbers = {
    "membarrier": 324 if machine else 283, "mlock2": 325 if machine else 284,
    "copy_file_range": 326 if machine else 285, "statx": 332 if machine else 291,
    "open_tree": 428, "move_mount": 429, "pidfd_open": 434, "close_range": 436, "openat2": 437,
    "mount_setattr": 442, "landlock_create_ruleset": 444,
}
for name, number in numbers.items():
    ctypes.set_errno(0)
    libc.syscall(number, -1, -1, -1, -1, -1)
    if ctypes.get_errno() == errno.ENOSYS:
        print(name)
"""
MISSING = {
    "4.4": ["copy_file_range", "statx", "open_tree", "move_mount", "pidfd_open"],
    "4.18": ["open_tree", "move_mount", "pidfd_open"],
    "5.4": [],
}
SINCE_5_6 = ["close_range", "openat2", "mount_setattr", "landlock_create_ruleset"]
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LOOK!r}], check=True)"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.old_kernel", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("version", FIRST_MISSING)
@pytest.mark.parametrize("look", [LOOK, IN_A_CHILD], ids=["itself", "its children"])
def test_exactly_the_newer_system_calls_are_missing(version: str, look: str) -> None:
    ran = run(version, "--", "-c", look)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == MISSING[version] + SINCE_5_6


def test_this_machine_has_them_all() -> None:
    """Else the test above could not fail."""
    ran = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=50, check=True)
    assert not {*ran.stdout.split()} & {*MISSING["4.4"], "close_range", "openat2"}


@pytest.mark.parametrize("arguments", [(), ("2.6", "--", "-c", "1"), ("4.4", "-c", "1"), ("4.4", "--")])
def test_another_use_is_explained(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.returncode == 2
    assert "usage: python -m tests.old_kernel 4.4|4.18|5.4 -- " in ran.stderr
