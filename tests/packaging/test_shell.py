"""The shell files as every shell reads them, and the numbers that install.sh goes by."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from helper.barrier import RECORDS as EXPANSIONS
from helper.format import RECORDS as FORMATS
from instorage.arrays import expansion
from nodeagent.host.paths import STATE
from nodeagent.operation import records
from tests.packaging.archive import ROOT, SHELLS

pytestmark = pytest.mark.subprocess
FILES = (
    "packaging/install.sh", "packaging/purge", "tools/system-packages", "tests/packaging/systemctl.sh",
    "deploy/kubeconfig.sh",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_shellcheck_finds_nothing(name: str) -> None:
    checker = shutil.which("shellcheck")
    assert checker, "tools/system-packages build installs it"
    done = subprocess.run([checker, ROOT / name], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_can_read_them(shell: str) -> None:
    for name in FILES:
        done = subprocess.run(
            [*SHELLS[shell], "-n", ROOT / name], capture_output=True, timeout=10, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_newest_form_of_each_record_is_what_the_programs_write() -> None:
    text = (ROOT / "packaging/RECORDS").read_text()
    lines = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    written = f'"schema": {lines[FORMATS]}'
    assert written in (ROOT / "helper/format.py").read_text()
    volumes = str(STATE / "volumes")
    assert lines.keys() == {volumes, FORMATS, EXPANSIONS}
    assert (lines[volumes], lines[EXPANSIONS]) == (str(records.SCHEMA), str(expansion.SCHEMA))
