"""The program as it is started by hand, and its unit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instorage.configuration.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd/instorage-provisioner.service"
pytestmark = pytest.mark.subprocess


def run(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provisioner", *flags],
        cwd=ROOT, capture_output=True, text=True, timeout=30, env=os.environ | environment,
    )  # fmt: skip


def test_the_sample_is_a_configuration_that_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "instorage.yaml"
    path.write_text(run("-samplecfg").stdout)
    path.chmod(0o640)
    assert load(path).storage[0].name == "storage-01"
    checked = subprocess.run(
        [sys.executable, "-m", "nodeagent.administration.ext", "ext-check-cfg", str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    assert "storage-01 at 10.0.0.1 port 22" in checked.stdout


def test_about_names_version_provisioner_and_driver() -> None:
    said = run("-about", "-provisioner-name=a/b", "-flex-volume-driver-name=c/d").stdout
    assert "3." in said
    assert "a/b" in said
    assert "c/d" in said


def test_help_is_on_standard_error() -> None:
    done = run("-h")
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.startswith("Usage of ")


def test_a_missing_configuration_is_named_and_ends_the_program(tmp_path: Path) -> None:
    Elsewhere(tmp_path)
    flags = ("-strconfig", str(tmp_path / "none.yaml"), "-kubeconfig", str(tmp_path / "kubeconfig"))
    done = run(*flags, STATE_DIRECTORY=str(tmp_path))
    assert done.returncode == 1
    assert str(tmp_path / "none.yaml") in done.stderr
    assert "Traceback" not in done.stderr


class Elsewhere:
    """A configuration and a kubeconfig whose servers are not there, and the program with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "instorage.yaml").write_text(
            "storage:\n- {name: s, type: AS18000, host: '127.0.0.1:9', username: u, password: secret-word}\n"
        )
        (directory / "instorage.yaml").chmod(0o600)
        cluster = {"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}]}
        context = {
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        user = {"users": [{"name": "u", "user": {"token": "secret-token"}}]}
        (directory / "kubeconfig").write_text(json.dumps({"apiVersion": "v1"} | cluster | context | user))

    def until(self, name: str, text: str, *flags: str, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Run until the file `name` (a pattern) holds `text`; return what standard error had."""
        with (self.directory / "stderr").open("wb") as out:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "provisioner", "-kubeconfig", str(self.directory / "kubeconfig"),
                    "-strconfig", str(self.directory / "instorage.yaml"), *flags,
                ],
                cwd=ROOT, stderr=out, env=os.environ | {"STATE_DIRECTORY": str(self.directory / "state")},
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not any(text in path.read_text() for path in self.directory.glob(name)):
            assert process.poll() is None, (self.directory / "stderr").read_text()
            assert time.monotonic() < deadline, (self.directory / "stderr").read_text()
            meanwhile()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        return (self.directory / "stderr").read_text()


AWAY = "The lease cannot be read"


def test_without_log_flags_everything_goes_to_standard_error(tmp_path: Path) -> None:
    said = Elsewhere(tmp_path).until("stderr", AWAY)
    assert re.search(r"^I[0-9]{4} [0-9:.]{15} +[0-9]+ assembly\.py:[0-9]+\] API server", said, re.MULTILINE)
    assert re.search(r"^W[0-9]{4} .*" + AWAY, said, re.MULTILINE)
    assert "secret-word" not in said
    assert "secret-token" not in said


@pytest.mark.slow
def test_a_log_directory_has_a_file_for_each_severity_and_standard_error_little(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    place = Elsewhere(tmp_path)
    said = place.until("logs/instorage-provisioner.WARNING", AWAY, "-log_dir", str(logs))
    assert AWAY not in said
    assert AWAY in (logs / "instorage-provisioner.INFO").read_text()
    assert "API server" in (logs / "instorage-provisioner.INFO").read_text()
    assert "API server" not in (logs / "instorage-provisioner.WARNING").read_text()
    threshold = place.until("stderr", AWAY, "-log_dir", str(logs), "-stderrthreshold=WARNING")
    assert "API server" not in threshold
    both = place.until("stderr", AWAY, "-log_dir", str(logs), "-alsologtostderr")
    assert "API server" in both


def test_the_units_exposure_is_two_or_less_and_it_answers_to_the_manuals_name() -> None:
    tool = shutil.which("systemd-analyze")
    assert tool, "tools/system-packages lab installs systemd"
    done = subprocess.run(
        [tool, "security", "--offline=yes", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert match, done.stdout + done.stderr
    assert float(match[1]) <= 1.5
    assert "Alias=inspur-instorage-provisioner.service" in UNIT.read_text().splitlines()
    assert "User=instorage-provisioner" in UNIT.read_text().splitlines()
