"""What a program loads to speak with an array."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys, instorage.arrays.as18000.array, paramiko; print(*sys.modules)"


@pytest.mark.subprocess
def test_a_library_that_nothing_here_uses_takes_no_memory() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    words = loaded.stdout.split()
    assert "paramiko.transport" in words, "else this shows nothing"
    assert not [word for word in words if word.startswith(("invoke.", "asyncio"))]
