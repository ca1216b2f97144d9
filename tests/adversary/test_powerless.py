"""Programs that read what an array sent may write one device, and nothing else that is root's."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import child, confinement, program
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[..., str]

pytestmark = [pytest.mark.root, pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

READERS = ("blkid", "fsck.ext4", "mkfs.ext3", "mkfs.ext4")
SIZE = 64 << 20


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[list[str]]:
    """Two block devices, each of a file."""
    made = []
    for name in ("one", "other"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(SIZE)
        argv = ("losetup", "--find", "--show", str(tmp_path / name))
        made.append(
            subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
        )
    yield made
    for device in made:
        subprocess.run(("losetup", "--detach", device), check=True, timeout=30)


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, devices: list[str]) -> Iterator[Say]:
    """Run a shell script in the place of a program, below /usr as programs are."""
    folder = Path(f"/usr/local/lib/instorage-test-{os.getpid()}")
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(program, "DIRECTORIES", (str(folder),))

    def run(name: str, script: str) -> str:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        deadline = time.monotonic() + 20
        accept = tuple(range(-64, 256))
        job = lambda: list(program.run(name, deadline=deadline, accept=accept, device=devices[0]))  # noqa: E731
        _, out, error = child.apart(job, deadline + 5, "It")
        return f"{out}{error}"

    yield run
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize("name", [*READERS, "mkfs.xfs"])
def test_no_capability_is_left_but_for_what_sets_the_block_size_of_its_device(name: str, say: Say) -> None:
    said = say(name, "exec grep -E '^(Cap(Eff|Prm)|NoNewPrivs)' /proc/self/status")
    found = dict(line.split() for line in said.splitlines())
    assert found["NoNewPrivs:"] == "1"
    numbers = [int(found[key], 16) for key in ("CapEff:", "CapPrm:")]
    assert any(numbers) == (name == "mkfs.xfs")


@pytest.mark.parametrize("name", [*READERS, "mkfs.xfs"])
def test_roots_files_and_other_disks_are_not_written(
    name: str, say: Say, devices: list[str], tmp_path: Path
) -> None:
    """uid 0 owns them, with capabilities or without."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    precious.chmod(0o600)
    said = say(name, f"echo x >> {precious}; echo x > {tmp_path}/new; rm {precious}; cat {precious}; "
                     f"echo data | dd of={devices[1]} conv=notrunc; echo ended")  # fmt: skip
    assert said.splitlines()[-1] == "ended" or "ended" in said
    assert said.count("Permission denied") == 5, said
    assert precious.read_text() == "mine"
    assert not (tmp_path / "new").exists()
    assert Path(devices[1]).read_bytes()[:4096] == bytes(4096)


def test_no_file_grows_where_the_kernel_has_no_landlock(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "_landlock", lambda _: None)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    say("blkid", f"touch {tmp_path}/begun; echo x >> {precious}")
    assert (tmp_path / "begun").exists()
    assert precious.read_text() == "mine"


def test_the_one_device_is_read_and_written(say: Say, devices: list[str]) -> None:
    said = say(
        "mkfs.ext4",
        f"echo data | dd of={devices[0]} conv=notrunc,fsync 2>&1; dd if={devices[0]} bs=4 count=1",
    )
    assert "data" in said
    assert Path(devices[0]).read_bytes()[:4] == b"data"


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_the_true_programs_do_their_work_so(kind: str, devices: list[str]) -> None:
    deadline = time.monotonic() + 50
    program.run(f"mkfs.{kind}", "-q", "--", devices[0], deadline=deadline, device=devices[0])
    said = program.run("blkid", "-p", "-o", "export", "--", devices[0], deadline=deadline, device=devices[0])
    assert f"TYPE={kind}" in said.out
    checked = program.run("fsck.ext4", "-a", "-f", "--", devices[0], deadline=deadline, device=devices[0])
    assert "files" in checked.out


def test_what_cannot_be_confined_is_not_started(
    say: Say, devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(program, "confine", refused)
    with pytest.raises(Fault, match="cannot be confined"):
        say("blkid", f"echo x > {devices[0]}")
    assert Path(devices[0]).read_bytes()[:4096] == bytes(4096)


class Refusing:
    """A kernel that confines a process, but for one step; nothing is done."""

    def __init__(self, refused: str) -> None:
        self._refused = refused

    def prctl(self, what: int, *_: object) -> int:
        return self._said("seccomp" if what == confinement._SECCOMP else "prctl")

    def capset(self, *_: object) -> int:
        return self._said("capset")

    def syscall(self, number: int, *arguments: Any) -> int:
        if number == confinement._LANDLOCK:
            if arguments[0] is None:
                return self._said("version", 3)
            return self._said("create_ruleset", os.open("/dev/null", os.O_RDONLY))
        return self._said("add_rule" if number == confinement._LANDLOCK + 1 else "restrict_self")

    def _said(self, step: str, answer: int = 0) -> int:
        ctypes.set_errno(errno.ENOMEM)
        return -1 if step == self._refused else answer


@pytest.mark.parametrize(
    "step", ["", "prctl", "seccomp", "version", "create_ruleset", "add_rule", "restrict_self", "capset"]
)
def test_a_step_of_the_confinement_that_the_kernel_refuses_is_an_error(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Else the program runs with what was not taken from it."""
    monkeypatch.setattr(confinement, "libc", Refusing(step))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)

    def confined() -> bool:
        confinement.confine("/dev/null", powerless=True)
        return True

    if not step:
        assert child.apart(confined, time.monotonic() + 10, "It")
        return
    with pytest.raises(OSError, match="Cannot allocate memory"):
        child.apart(confined, time.monotonic() + 10, "It")
