"""A log file on a disk that is full for a while: that is said once, and lines are written again later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.subprocess, pytest.mark.root]
ROOT = Path(__file__).parents[2]
SCRIPT = """
import logging, sys, time
from pathlib import Path
from instorage import log_directory, log_file
from nodeagent.operation.journal import UNIT
log_file.RETRY_SECONDS = 0.02
logs = Path(sys.argv[1])
file = log_file.LogFile(logs / "some.log", 0, lambda number: log_directory.mend(number, logs, UNIT))
logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(sys.stdout), file])
room = logs / "room"
room.write_bytes(bytes(32768))
for number in range(40):
    logging.info("x" * 3000)
    time.sleep(0.002)
room.unlink()
until = time.monotonic() + 20
while "after" not in (logs / "some.log").read_text():
    assert time.monotonic() < until
    logging.info("after")
    time.sleep(0.005)
"""


def test_a_full_disk_is_said_once_and_the_file_goes_on_when_there_is_room(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=64k,mode=700 none "$1" && exec "$PYTHON" -c "$SCRIPT" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", mounted, "sh", str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "SCRIPT": SCRIPT, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if "The log file" in line]
    assert len(said) == 2
    assert f"{tmp_path}/some.log cannot be written (No space left on device): make room in" in said[0]
    assert f"{tmp_path}/some.log is written again." in said[1]
