"""Programs that read what an array sent run without capabilities, under the unit's NoNewPrivileges."""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING

import pytest

from helper import child, program

if TYPE_CHECKING:
    from pathlib import Path

KEEP = ("iscsiadm", "multipath", "mkfs.xfs")  # mkfs.xfs sets the device's block size (seen: EACCES)
_NO_NEW_PRIVILEGES = 38  # prctl(2)


@pytest.mark.root
@pytest.mark.subprocess
@pytest.mark.usefixtures("run_directory")
@pytest.mark.parametrize("name", program.PACKAGES)
def test_only_what_works_on_devices_themselves_keeps_capabilities(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("#!/bin/sh\nexec grep -E 'Cap(Eff|Prm)' /proc/self/status\n")
    (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(program, "DIRECTORIES", (str(tmp_path),))

    def job() -> str:
        assert ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        return program.run(name, deadline=time.monotonic() + 10).out

    said = child.apart(job, time.monotonic() + 20, "It")
    numbers = [int(line.split()[1], 16) for line in said.splitlines()]
    assert len(numbers) == 2
    assert all(numbers) == (name in KEEP)
    assert any(numbers) == (name in KEEP)
