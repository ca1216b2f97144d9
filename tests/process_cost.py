"""What a process costs: memory, processor."""

from __future__ import annotations

import time
from pathlib import Path


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has used, by its own clock: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)
