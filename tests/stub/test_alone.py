"""The stub without an agent: its own answers, what it is made of, what it needs: only its own directory."""

from __future__ import annotations

import shutil
import statistics
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.figures import note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stub.conftest import Agent, Stub

pytestmark = pytest.mark.subprocess
CAPABILITIES = {
    "attach": True,
    "requiresFSResize": True,
    "fsGroup": True,
    "selinuxRelabel": True,
    "supportsMetrics": True,
}
ARCHITECTURES = {"x86_64": 62, "aarch64": 183, "mips64el": 8}
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
WRITE, EXECUTE = 2, 1


def test_init_succeeds_with_all_capabilities(stub: Stub) -> None:
    answer = stub.run("init")
    assert (answer.status, answer.json["status"]) == (0, "Success")
    assert answer.json["capabilities"] == CAPABILITIES


@pytest.mark.parametrize(
    ("content", "attach", "complains"),
    [
        (b"false", False, False),
        (b"false\n", False, False),
        (b"false \r\n", False, False),
        (b"true\n", True, False),
        (b"", True, True),
        (b"no\n", True, True),
        (b"falsehood", True, True),
        (b"false\nfalse\n", True, True),
        (b'"\\\xff', True, True),
        (b"x" * 5000, True, True),
    ],
)
def test_the_file_dot_attach_switches_the_attach_capability(
    stub: Stub, content: bytes, attach: bool, complains: bool
) -> None:
    (stub.directory / ".attach").write_bytes(content)
    answer = stub.run("init", cwd="/")
    assert (answer.status, answer.json["capabilities"]) == (0, CAPABILITIES | {"attach": attach})
    assert (f"{stub.directory}/.attach" in answer.json["message"]) == complains


def test_a_dot_attach_that_is_no_file_does_not_break_init(stub: Stub) -> None:
    (stub.directory / ".attach").mkdir()
    assert stub.run("init").json["capabilities"]["attach"] is True


@pytest.mark.parametrize("command", ["getvolumename", "attach", "isattached"])
def test_calls_left_to_kubelet_are_not_supported(stub: Stub, command: str) -> None:
    answer = stub.run(command, '{"a":"b"}', "node1")
    assert (answer.status, answer.json["status"]) == (0, "Not supported")


def test_a_link_to_the_stub_still_finds_the_stubs_own_directory(stub: Stub, tmp_path: Path) -> None:
    (stub.directory / ".attach").write_text("false")
    (tmp_path / "link").symlink_to(stub.program)
    line: list[str | Path] = [*stub.prefix, tmp_path / "link", "init"]
    done = subprocess.run(line, env={}, capture_output=True, timeout=30, check=True)
    assert b'"attach":false' in done.stdout


@pytest.fixture
def ext(tmp_path: Path) -> dict[str, str]:
    """A program in the place of instorage-ext that shows what it was started with."""
    program = tmp_path / "instorage-ext"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" "$INSTORAGE_PLUGIN_DIRECTORY"; exit 7\n')
    program.chmod(0o755)
    return {"INSTORAGE_EXT": str(program), "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["ext-help"],
        ["ext-encrypt-password", "p w"],
        ["ext-bogus"],
        ["create", "v", "1", "{}"],
        ["delete", "v", ""],
    ],
)
def test_the_administrators_commands_are_run_by_the_python_program(
    stub: Stub, ext: dict[str, str], arguments: list[str]
) -> None:
    answer = stub.run(*arguments, env=ext)
    assert answer.status == 7
    assert answer.text.decode() == "|".join([*arguments, f"{stub.directory}/"]) + "|"


def test_without_arguments_the_help_is_shown(stub: Stub, ext: dict[str, str]) -> None:
    assert stub.run(env=ext).text.decode() == f"ext-help|{stub.directory}/|"


def test_a_missing_python_program_is_said_in_a_sentence(stub: Stub) -> None:
    for arguments in ((), ("ext-help",), ("create", "a", "1", "{}")):
        message = stub.run(*arguments, env={"INSTORAGE_EXT": "/absent/instorage-ext"}).failure()
        assert message.startswith("/absent/instorage-ext cannot be started (error 2)")
        assert "the node agent's, which is not installed on this machine" in message


def test_a_full_disk_behind_standard_output_is_no_success(stub: Stub) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(stub.argv("init"), env={}, stdout=full, timeout=30, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_stub_is_small_static_and_without_executable_data(built_everywhere: Path, arch: str) -> None:
    whole = (built_everywhere / arch / "instorage-flexvolume").read_bytes()
    assert len(whole) <= 64 * 1024
    assert whole[:6] == b"\x7fELF\x02\x01", "64 bits, little endian"
    (machine,) = struct.unpack_from("<H", whole, 18)
    assert machine == ARCHITECTURES[arch]
    start, size, count = struct.unpack_from("<Q", whole, 32) + struct.unpack_from("<HH", whole, 54)
    segments = [struct.unpack_from("<II", whole, start + size * i) for i in range(count)]
    kinds = [kind for kind, _ in segments]
    assert PT_INTERP not in kinds
    assert PT_DYNAMIC not in kinds
    assert dict(segments)[PT_GNU_STACK] & EXECUTE == 0
    for kind, flags in segments:
        assert kind != PT_LOAD or flags & (WRITE | EXECUTE) != WRITE | EXECUTE


@pytest.mark.measured
def test_init_is_answered_within_three_milliseconds(built_stub: Stub) -> None:
    times = []
    for _ in range(51):
        began = time.perf_counter()
        subprocess.run(built_stub.argv("init"), stdout=subprocess.DEVNULL, env={}, check=True)
        times.append(time.perf_counter() - began)
    empty = []
    for _ in range(51):
        began = time.perf_counter()
        subprocess.run(["/bin/true"], stdout=subprocess.DEVNULL, env={}, check=True)
        empty.append(time.perf_counter() - began)
    note("stub", "init, exec to answer, median", statistics.median(times) * 1000, "ms", 3.0)
    note("stub", "a program that does nothing, median", statistics.median(empty) * 1000, "ms")
    note("stub", "size", built_stub.program.stat().st_size / 1024, "KiB", 64.0)
    # Against a program that does nothing, in the same run: other tests share this machine.
    assert statistics.median(times) < max(0.003, 2 * statistics.median(empty))


@pytest.mark.root
def test_in_a_mount_namespace_with_nothing_but_the_plugin_directory_everything_works(
    stub: Stub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    inside = root / "plugins" / stub.directory.name
    inside.parent.mkdir(parents=True)
    shutil.copytree(stub.directory, inside)
    (inside / ".attach").write_text("false")
    started = agent(path=inside / ".agent.sock")
    if stub.prefix:
        shutil.copy(stub.prefix[0], root / "emulator")
    enter = (
        "import os, sys; os.unshare(os.CLONE_NEWNS); os.chroot(sys.argv[1]); os.chdir('/'); "
        "os.execve(sys.argv[2], sys.argv[2:], {})"
    )
    if sys.version_info < (3, 12):
        enter = enter.replace(
            "os.unshare(os.CLONE_NEWNS)", "__import__('ctypes').CDLL(None).unshare(0x20000)"
        )
    program = f"/plugins/{stub.directory.name}/instorage-flexvolume"
    line: list[str | Path] = [
        sys.executable,
        "-c",
        enter,
        root,
        *(["/emulator"] if stub.prefix else []),
        program,
    ]
    for arguments, wanted in ((["init"], b'"attach":false'), (["mount", "/d"], b'{"status":"Success"}\n')):
        done = subprocess.run([*line, *arguments], capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert wanted in done.stdout
    assert started.calls == [[b"mount", b"/d"]]
