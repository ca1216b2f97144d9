"""Root code on the oldest kernel that is served: its own tests pass without any newer system call."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.old_kernel.kernel import FIRST_MISSING
from tests.soak import WHOLE

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(900)]

VERSIONS = list(FIRST_MISSING) if WHOLE else ["4.4"]
DAILY = (
    *("bind_rules", "older_kernels", "content", "child", "supervisor", "hostlock", "full_run"),
    *("stuck_processes", "freeze"),
)
"""What makes most kinds of system calls; the others have a host that is a directory, and make the same."""
SKIPPED = 2  # a bind in one step


def passed(version: str, chosen: str) -> int:
    """Run the helper's tests so; return how many passed, and fail with what they said."""
    files = ["tests/helper"] if WHOLE else [f"tests/helper/test_{name}.py" for name in DAILY]
    argv = [sys.executable, "-m", "tests.old_kernel", version, "--", "-m", "pytest", "-q", "--timeout", "120"]
    ran = subprocess.run(
        [*argv, "-m", chosen if WHOLE else f"{chosen} and not slow", *files],
        env={key: value for key, value in os.environ.items() if key != "SOAK"},
        capture_output=True, text=True, timeout=850, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-1000:]
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (passed|skipped)", ran.stdout)}
    assert counts.get("skipped", 0) <= SKIPPED, ran.stdout[-5000:]
    return counts["passed"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_helpers_tests_pass_on_an_older_kernel(version: str) -> None:
    assert passed(version, "not root") > (500 if WHOLE else 120)


@pytest.mark.root
@pytest.mark.parametrize("version", VERSIONS)
def test_those_that_need_root_pass_on_an_older_kernel(version: str) -> None:
    assert passed(version, "root") > 9
