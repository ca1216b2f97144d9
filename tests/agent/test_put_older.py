"""`systemd/older/put.sh`: what an older systemd needs is put, and taken away when it needs it no more."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

OLDER = Path(__file__).resolve().parents[2] / "systemd/older"
UNITS = ("instorage-helper.service", "instorage-nodeagent.service")
OTHERS = "[Service]\nNice=5\n"

pytestmark = pytest.mark.subprocess


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    found = shutil.which(request.param)
    assert found, "tools/system-packages lab installs it"
    return [found, "sh"] if request.param == "busybox" else [found]


class Machine:
    """A directory of units, and a systemctl that says which systemd this is."""

    def __init__(self, directory: Path, shell: list[str]) -> None:
        self.units, self._bin, self._shell = directory / "units", directory / "bin", shell
        for folder in (self.units, self._bin):
            folder.mkdir()
        for unit in UNITS:
            (self.units / unit).touch()

    def put(self, said: str) -> subprocess.CompletedProcess[str]:
        program = self._bin / "systemctl"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\n+PAM +SECCOMP\nEND\n")
        program.chmod(0o755)
        return subprocess.run(
            [*self._shell, str(OLDER / "put.sh"), str(self.units)],
            env={"PATH": f"{self._bin}:/usr/bin:/bin"},
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip

    def there(self) -> list[str]:
        return sorted(str(path.relative_to(self.units)) for path in self.units.rglob("*") if path.is_file())


@pytest.fixture
def machine(tmp_path: Path, shell: list[str]) -> Machine:
    return Machine(tmp_path, shell)


WITH = sorted([*UNITS, *(f"{unit}.d/older-238.conf" for unit in UNITS)])


@pytest.mark.parametrize("said", ["systemd 237", "systemd 238 (238-1)"])
def test_an_older_systemd_gets_its_drop_ins_beside_the_units_that_are_there(
    machine: Machine, said: str
) -> None:
    for _ in range(2):
        ran = machine.put(said)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert machine.there() == WITH
    put = machine.units / WITH[-1]
    assert put.read_bytes() == (OLDER / "238" / WITH[-1]).read_bytes()
    assert put.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "said", ["systemd 239 (239-78.el8)", "systemd 252 (252.39-1~deb12u2)", "systemd 1024"]
)
def test_a_newer_one_gets_none(machine: Machine, said: str) -> None:
    assert machine.put(said).returncode == 0
    assert machine.there() == sorted(UNITS)


def test_after_an_upgrade_of_systemd_ours_goes_and_the_administrators_stays(machine: Machine) -> None:
    machine.put("systemd 237")
    (machine.units / f"{UNITS[0]}.d/mine.conf").write_text(OTHERS)
    (machine.units / f"{UNITS[1]}.d/older-238.conf.new").touch()  # of a run that was killed
    ran = machine.put("systemd 245 (245.4-4ubuntu3.24)")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert machine.there() == sorted([*UNITS, f"{UNITS[0]}.d/mine.conf"])
    assert not (machine.units / f"{UNITS[1]}.d").exists()


def test_a_systemd_that_does_not_say_its_version_is_no_guess(machine: Machine) -> None:
    ran = machine.put("Failed to connect to bus")
    assert ran.returncode == 1
    assert "cannot be read from «systemctl --version»" in ran.stderr
    assert machine.there() == sorted(UNITS)
