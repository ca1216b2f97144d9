"""The program: started, killed, started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from simulator.control.client import Control
from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.subprocess
ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(directory: Path) -> Iterator[Callable[..., Any]]:
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> Any:
        argv = [
            sys.executable,
            "-m",
            "simulator",
            "--state",
            str(directory),
            "--control",
            str(directory / "c"),
        ]
        process = subprocess.Popen([*argv, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        return SimpleNamespace(process=process, address=ready["listen"][0], **ready)

    yield begin
    for process in running:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def test_state_uids_and_host_key_survive_a_kill(
    program: Callable[..., Any], connect: Callable[..., Client]
) -> None:
    first = program()
    ssh = connect(first)
    ssh.good("mcsop mkvdisk -name gone -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0;mcsop rmvdisk gone")
    ssh.good("mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand")
    ssh.good("mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h -site 1;mcsop mkvdiskhostmap -host h v")
    queries = "lsvdisk;lsvdisk v;lshost h;lsvdiskhostmap v;lslcmap;lsrcrelationship;lsmdiskgrp"
    before = ssh.good(queries).stdout
    first.process.kill()
    first.process.wait(10)

    second = program()
    assert second.host_key == first.host_key
    again = connect(second)
    assert again.good(queries).stdout == before
    again.good("mcsop mkvdisk -name w -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
    uids = [row["vdisk_UID"] for row in again.rows("lsvdisk")]
    assert len(set(uids)) == len(uids) == 6


def test_sigterm_ends_it_cleanly(program: Callable[..., Any]) -> None:
    running = program()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0


def test_options_of_the_command_line_take_effect(program: Callable[..., Any], directory: Path) -> None:
    (directory / "pw").write_text("secret\n")
    running = program(
        *("--listen", f"unix:{directory}/s", "--user", "admin", "--password-file", f"{directory}/pw"),
        *(
            "--pools",
            "Fast:1GiB",
            "--name",
            "other",
            "--uid-prefix",
            "60050760008B09C0D",
            "--limit-burst",
            "0",
        ),
        *("--portal", "1=127.0.0.1:3260", "--dialect", "columns=old"),
    )
    assert running.listen == [f"unix:{directory}/s"]
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{directory}/s")
    transport = paramiko.Transport(sock)
    try:
        transport.connect(username="admin", password="secret")
        channel = transport.open_session()
        create = "mcsop mkvdisk -size 1 -unit gb -mdiskgrp Fast -iogrp 0"
        channel.exec_command(f"{create}; lsvdisk -nohdr -delim !; lsportip -delim !")
        said = channel.makefile("rb").read().decode().splitlines()
    finally:
        transport.close()
    assert said[1].split("!")[13] == "60050760008B09C0D000000000000000"
    assert sum("127.0.0.1" in line for line in said) == 1
    with Control(directory / "c") as control:
        assert control.do("volumes")[0]["name"] == "vdisk0"


def test_the_ssh_that_it_is_told_is_offered(
    program: Callable[..., Any], connect: Callable[..., Client]
) -> None:
    old = program("--ssh-keys", "ssh-rsa", "--ssh-kex", "diffie-hellman-group14-sha1")
    assert old.host_key.startswith("ssh-rsa ")
    with pytest.raises(paramiko.ssh_exception.IncompatiblePeer):
        connect(old)
