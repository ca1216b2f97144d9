"""The stub does nothing but its socket, by being it: a program without libraries, with the stub's label."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.soak import in_turn
from tools.lab import denials

if TYPE_CHECKING:
    from pathlib import Path

    from tools.lab import Machine

pytestmark = [pytest.mark.lab, in_turn(1, 2)]
LIMIT = 60  # seconds for a command in an emulated machine
TARGET = "x86_64-linux-musl"
UNLABELLED, AS_STUB = "/usr/local/sbin/attempt", "/usr/local/sbin/attempt-as-stub"
SOURCE = """\
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char *program[] = {"true", 0};
    if (argc != 3)
        return 2;
    if (!strcmp(argv[1], "open"))
        return open(argv[2], O_RDONLY) < 0;
    if (!strcmp(argv[1], "socket"))
        return socket(AF_INET, SOCK_STREAM, 0) < 0;
    execv(argv[2], program);
    return 1;
}
"""
TRIALS = {
    "opens a disk": ("open /dev/vda", "fixed_disk_device_t:blk_file read"),
    "reads the passwords": ("open /etc/shadow", "shadow_t:file read"),
    "opens a network socket": ("socket -", "self:tcp_socket create"),
    "runs a program of the host": ("run /usr/bin/true", "bin_t:file execute_no_trans"),
}
DENIED = tuple(f"allow instorage_stub_t {rule};" for _, rule in TRIALS.values())


@pytest.fixture(scope="module")
def attempt(node: Machine, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The node with the program twice: with the label of any program, and with that of the stub."""
    folder: Path = tmp_path_factory.mktemp("attempt")
    (folder / "attempt.c").write_text(SOURCE)
    flags = ("-target", TARGET, "-static", "-Os", "-Wall", "-Werror")
    argv = [sys.executable, "-m", "ziglang", "cc", *flags, "-o", "attempt", "attempt.c"]
    subprocess.run(argv, cwd=folder, check=True, timeout=240)
    for path in (UNLABELLED, AS_STUB):
        node.put(path, (folder / "attempt").read_bytes(), 0o755)
    node.run(f"chcon -t bin_t {UNLABELLED} && chcon -t instorage_stub_exec_t {AS_STUB}", LIMIT)
    return node


@pytest.mark.parametrize("what", TRIALS)
def test_the_stub_is_denied_whatever_is_not_its_socket(attempt: Machine, what: str) -> None:
    asked, rule = TRIALS[what]
    outside = attempt.run(f"{UNLABELLED} {asked}", LIMIT, check=False)
    assert outside.exit_status == 0, "outside of the domain it works, else nothing is shown"
    assert attempt.run(f"{AS_STUB} {asked}", LIMIT, check=False).exit_status == 1
    assert f"allow instorage_stub_t {rule};" in denials.of(attempt)
