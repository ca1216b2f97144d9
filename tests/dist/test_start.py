"""Our Python starts helper, agent and commands about as fast as Debian's, which the product had before.

The same compiled modules, one interpreter after the other; processor time of the whole process, the least of
many runs: what else a machine does makes some runs longer and none shorter. What a checkout of 82eff89
installs, before there was an archive, needs more (2026-11-30, one machine, the least of 40): the helper 100
ms, by the archive 46; the agent 138 and 106; commands 26 and 18.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.install import SITE

DEBIANS = Path("/usr/bin/python3.11")
RUNS = 25
SLACK = 1.15  # the agent was seen 4 to 10 % slower: most of its start is Python code that makes classes
pytestmark = [
    pytest.mark.dist,
    pytest.mark.measured,
    pytest.mark.slow,
    pytest.mark.subprocess,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not DEBIANS.exists(), reason="it is Debian 12's Python that is compared with"),
]


def processor_seconds(argv: list[str | Path]) -> float:
    """Processor time of a process from its start to its end."""
    pid = os.posix_spawn(argv[0], [str(one) for one in argv], {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    _, status, used = os.wait4(pid, 0)
    assert status == 0, argv
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def debians(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment as installations from a checkout have it, with the archive's own modules."""
    venv = tmp_path_factory.mktemp("debians")
    subprocess.run([DEBIANS, "-m", "venv", "--without-pip", venv], check=True, timeout=120)
    site = venv / SITE
    site.rmdir()
    site.symlink_to(staged / "node" / SITE)
    return venv / "bin/python3"


@pytest.mark.parametrize(
    "module", ["helper.__main__", "nodeagent.__main__", "nodeagent.administration.ext"], ids=str
)
def test_it_starts_no_slower_than_with_debians_python(staged: Path, debians: Path, module: str) -> None:
    ours = staged / "node/bin/python3"
    both: dict[Path, list[str | Path]] = {
        python: [python, "-I", "-c", f"import {module}"] for python in (ours, debians)
    }
    seen: dict[Path, list[float]] = {python: [] for python in both}
    for _ in range(RUNS):
        for python, argv in both.items():
            seen[python].append(processor_seconds(argv))
    ratio = min(seen[ours]) / min(seen[debians])
    print(f"{module}: {min(seen[ours]) * 1000:.1f} ms, Debian's {min(seen[debians]) * 1000:.1f}, {ratio:.3f}")
    assert ratio <= SLACK
