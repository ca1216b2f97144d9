"""The parts that tests measure anyway: they write their figures down when they are asked to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, read

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
ASKED = {"REST_SECONDS": "60", "SCALE": "1"}
"""What makes a test that is else a soak's short enough for one run, or lets it be run at all."""
FILE = "INSTORAGE_FIGURES"
"""The environment variable that names the file to which a test adds its figures."""
TESTS = {
    "stub": ("tests/stub/test_alone.py",),
    "volumes-on-a-node": ("tests/helper/test_many_volumes.py",),
    "array-size": ("tests/agent/test_size_of_the_array.py",),
    "claims": ("tests/provisioner/test_many.py",),
    "scale": ("tests/provisioner/test_scale.py",),
    "nodes": ("tests/arrays/test_full_array.py",),
    "frozen": ("tests/agent/test_expansion.py",),
    "rest": ("tests/agent/test_at_rest.py", "tests/provisioner/test_idle.py"),
}
"""Part to the files whose `measured` tests tell it."""


def run(part: str) -> Iterator[Figure]:
    """Run a part's tests, and return what they wrote down; a failed one is a figure, too, that misses."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "figures")
        argv = [sys.executable, "-m", "pytest", "-q", "-m", "measured", *TESTS[part]]
        ran = subprocess.run(
            argv, cwd=ROOT, env=os.environ | ASKED | {FILE: str(file)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        yield from read(file)
    if ran.returncode:
        sys.stderr.write(ran.stdout[-4000:])
    yield Figure(part, "its tests failed", float(ran.returncode), "(0: passed)", 0.0)
