"""install.sh before there is a Python: whose processor, C library or mount does not let it start."""

from __future__ import annotations

import platform
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import FOLDER, SHELLS, archive, put, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
PYTHON = "node/bin/python3.11"
OTHER = {"x86_64": ("aarch64", b"\xb7\0"), "aarch64": ("x86_64", b"\x3e\0")}
NATIVE = {"x86_64": b"\x3e\0", "aarch64": b"\xb7\0"}


def elf(machine: bytes) -> bytes:
    """A program's first bytes, and nothing that could start."""
    return b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + machine + bytes(40)


def refused(top: Path, path: str = "", shell: str = "dash") -> str:
    done = run(top, "--check", path=path, shell=shell)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("install.sh: ")
    return done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_the_archive_for_another_processor_is_named(tmp_path: Path, shell: str) -> None:
    top, here = archive(tmp_path, "3.0.0"), platform.machine()
    wanted, machine = OTHER[here]
    (top / PYTHON).write_bytes(elf(machine))
    said = f"this archive is for {wanted}, this host is {here}: take the archive for {here}.\n"
    assert said in refused(top, shell=shell)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("ldd (GNU libc) 2.12", "ldd (GNU libc) 2.12 is here, glibc 2.17 or newer is wanted"),
        ("ldd (GNU libc) 2.5", "ldd (GNU libc) 2.5 is here, glibc 2.17 or newer is wanted"),
        ("musl libc (x86_64)", "the C library of this host is musl, the GNU C library 2.17 or newer"),
        ("ldd (GNU libc) 2.17", "does not start"),
    ],
)
def test_a_c_library_that_will_not_do_is_named(tmp_path: Path, library: str, said: str, shell: str) -> None:
    top = archive(tmp_path, "3.0.0")
    (top / PYTHON).write_bytes(elf(NATIVE[platform.machine()]))
    put(tmp_path / "bin", {"ldd": f"#!/bin/sh\necho '{library}'\n"}, 0o755)
    assert said in refused(top, str(tmp_path / "bin"), shell)


def test_where_programs_may_not_be_started_that_is_said(tmp_path: Path) -> None:
    top = archive(tmp_path, "3.0.0")
    (top / PYTHON).chmod(0o644)
    said = refused(top)
    assert f"{top}/{PYTHON} does not start (" in said
    assert "may be started (not mounted noexec)" in said


def test_an_archive_without_a_python_or_an_installer_is_not_whole(tmp_path: Path) -> None:
    top = archive(tmp_path, "3.0.0")
    shutil.rmtree(top / "installer")
    assert "unpack the whole archive" in refused(top)
    (top / PYTHON).unlink()
    (top / FOLDER / "python/bin/python3.11").unlink()
    assert "unpack the whole archive" in refused(top)


def test_nothing_of_the_working_directory_or_the_environment_is_python_for_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = archive(tmp_path, "3.0.0")
    for name in ("runpy", "fcntl", "shutil", "sitecustomize"):
        put(tmp_path / "theirs", {f"{name}.py": "raise SystemExit(77)\n"}, 0o644)
        put(top, {f"{name}.py": "raise SystemExit(77)\n"}, 0o644)
    monkeypatch.chdir(tmp_path / "theirs")
    done = run(top, "--version", PYTHONPATH=str(tmp_path / "theirs"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0.0\n", "")


def test_an_image_of_another_processor_is_not_given_programs_that_cannot_run_there(
    tmp_path: Path, old: Path
) -> None:
    here = platform.machine()
    other, machine = OTHER[here]
    systemd = tmp_path / "image/usr/lib/systemd/systemd"
    systemd.parent.mkdir(parents=True)
    systemd.write_bytes(elf(machine))
    for part in ("--node", "--provisioner"):
        done = run(old, part, "--root", str(tmp_path / "image"))
        assert done.returncode == 1
        assert (
            f"{systemd} is for {other}, this archive for {here}: take the archive for {other}." in done.stderr
        )
    systemd.write_bytes(elf(NATIVE[here]))
    assert run(old, "--node", "--root", str(tmp_path / "image")).returncode == 0
