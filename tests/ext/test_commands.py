"""The administrator's commands, run as the stub runs them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from instorage.configuration import cipher_key, sample, shadow

pytestmark = pytest.mark.subprocess
ROOT = Path(__file__).parents[2]
MANUAL_HELP = """\
Support following subcommand and extent subcommand:
ext-help
    Show this help.
ext-sample-18000-cfg
    Generate a 18000 storage sample configure for use.
ext-sample-13000-cfg
    Generate a 13000 storage sample configure for use.
ext-version
    Show the version of this program.
ext-check-cfg
    Check the configuration.
ext-encrypt-password [plain password]
    Generate the encrypted password from plain password
"""
CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def ext(*arguments: str, env: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    if "stdin" not in more and "input" not in more:
        more["stdin"] = subprocess.DEVNULL
    done = subprocess.run(
        [sys.executable, "-m", "nodeagent.administration.ext", *arguments],
        cwd=ROOT, env=CLEAN | (env or {}), capture_output=True, text=True, timeout=30, check=False, **more,
    )  # fmt: skip
    assert done.stderr == ""
    return done


@pytest.fixture
def key(tmp_path: Path) -> dict[str, str]:
    """A key file of this test."""
    (tmp_path / "shadow.key").write_text("cipher key\n")
    return {"INSTORAGE_SHADOW_KEY": str(tmp_path / "shadow.key")}


def test_help_begins_with_exactly_the_manuals_list() -> None:
    for arguments in (["ext-help"], []):
        done = ext(*arguments)
        assert done.returncode == 0
        assert done.stdout.startswith(MANUAL_HELP)
        assert "create" in done.stdout.removeprefix(MANUAL_HELP)


def test_help_loads_nothing_that_is_slow() -> None:
    program = (
        "import sys; sys.argv = ['', 'ext-help']; from nodeagent.administration.ext import main; main(); "
        "print([name for name in ('paramiko', 'yaml', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("\n[]\n")


def test_the_samples_are_printed_and_only_the_first_is_accepted_by_the_check(tmp_path: Path) -> None:
    for name, wanted, status, said in [
        (
            "ext-sample-18000-cfg",
            sample.SAMPLE_18000,
            0,
            "is correct. Arrays: storage-01 at 10.0.0.1 port 22",
        ),
        ("ext-sample-13000-cfg", sample.SAMPLE_13000, 1, "AS13000, which this version does not support"),
    ]:
        printed = ext(name)
        assert (printed.returncode, printed.stdout) == (0, wanted)
        path = tmp_path / name
        path.write_text(printed.stdout)
        path.chmod(0o640)
        checked = ext("ext-check-cfg", str(path))
        assert checked.returncode == status
        assert said in checked.stdout
        assert "warning" not in checked.stdout


def test_the_check_looks_beside_the_stub_or_where_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    path = tmp_path / "config" / "instorage.yaml"
    path.write_text(sample.SAMPLE_18000)
    path.chmod(0o644)
    for env in ({"INSTORAGE_PLUGIN_DIRECTORY": f"{tmp_path}/"}, {"INSTORAGE_CONFIG": str(path)}):
        done = ext("ext-check-cfg", env=env)
        assert done.returncode == 0
        assert "warning" in done.stdout
        assert f"The configuration {path} is correct" in done.stdout
    done = ext("ext-check-cfg", env={"INSTORAGE_CONFIG": str(tmp_path / "absent")})
    assert done.returncode == 1
    assert "cannot be read (No such file or directory)" in done.stdout


def test_the_version_is_the_distributions() -> None:
    done = ext("ext-version")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout == f"instorage-flexvolume {project['version']}\n"


def test_a_password_is_encrypted_from_the_argument_or_standard_input(key: dict[str, str]) -> None:
    cipher = cipher_key.read_key(Path(key["INSTORAGE_SHADOW_KEY"]))
    for plain in ("password", "with space", "größe卷"):
        for done in (
            ext("ext-encrypt-password", plain, env=key),
            ext("ext-encrypt-password", input=plain + "\n", env=key),
        ):
            assert done.returncode == 0
            assert shadow.decrypt(done.stdout.strip(), cipher).reveal() == plain
    for wrong in (ext("ext-encrypt-password", env=key), ext("ext-encrypt-password", "a", "b", env=key)):
        assert wrong.returncode == 2
        assert wrong.stdout.startswith("usage: ext-encrypt-password")


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_echoed(key: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "nodeagent.administration.ext", "ext-encrypt-password"],
            cwd=ROOT, env=CLEAN | key, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
            start_new_session=True,  # away from the terminal of whoever runs the tests
        )  # fmt: skip
        seen = b""
        for prompt in (b"Password: ", b"Once more: "):
            while not seen.endswith(prompt):
                seen += os.read(ours, 1000)
            os.write(ours, b"typed-marker\n")
        _, errors = child.communicate(timeout=20)
        seen += os.read(ours, 1000)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (child.returncode, errors) == (0, b"")
    assert b"typed-marker" not in seen
    cipher = cipher_key.read_key(Path(key["INSTORAGE_SHADOW_KEY"]))
    assert shadow.decrypt(seen.decode().split()[-1], cipher).reveal() == "typed-marker"


def test_an_unknown_command_is_said() -> None:
    done = ext("ext-bogus")
    assert (done.returncode, done.stdout) == (2, "usage: 'ext-bogus' is no command; ext-help lists them\n")


def test_a_reader_that_went_away_is_no_traceback() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nodeagent.administration.ext ext-sample-18000-cfg | true"],
        cwd=ROOT, env=CLEAN, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == b""
