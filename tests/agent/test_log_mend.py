"""A log directory that the sandbox forbids: what the sentence tells root to type, typed."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instorage import log_directory
from nodeagent.operation import journal
from provisioner import log_files

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.root]
ROOT = Path(__file__).parents[2]
UNITS = (journal.UNIT, log_files.UNIT)
USER, GROUP = "4001", "4242"  # of nobody on this machine
LOOK = """
import sys
from pathlib import Path
from instorage import log_directory
from instorage.log_file import LogFile
path, unit = Path(sys.argv[1]), sys.argv[2]
print(LogFile(path, 0, lambda number: log_directory.mend(number, path.parent, unit)).look())
"""
# ProtectSystem=strict with ReadWritePaths=, for what is below $1 alone: there, all that the test has is.
SANDBOX = """
set -eu
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" "$1"
grep -h ^ReadWritePaths= "$1"/system/"$3".d/*.conf 2>/dev/null | sed 's/^[^=]*=//;s/"//g;s/^-//;s/%%/%/g' |
  while read -r place; do mount --bind "$place" "$place" && mount -o remount,bind,rw "$place" "$place"; done
exec setpriv --reuid "$USER_ID" --regid "$USER_ID" --groups "$GROUP_ID" "$PYTHON" -c "$LOOK" "$2" "$3"
"""
AS_ROOT = """
set -eu
mount --bind "$1/group" /etc/group
mkdir -p /etc/systemd/system && mount --bind "$1/system" /etc/systemd/system
PATH="$1/bin:$PATH"
sh -c "$2"
"""


class Node:
    """A host whose services may write nowhere below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("system", "bin"):
            (directory / name).mkdir()
        directory.chmod(0o755)
        known = Path("/etc/group").read_text()
        (directory / "group").write_text(f"{known.rstrip()}\n{log_directory.GROUP}:x:{GROUP}:\n")
        (directory / "bin/systemctl").write_text(f'#!/bin/sh\necho "$*" >>{directory}/asked\n')
        (directory / "bin/systemctl").chmod(0o755)
        for unit in UNITS:
            text = (ROOT / "systemd" / unit).read_text().split("\nExecStart=")[0]
            (directory / "system" / unit).write_text(f"{text}\nExecStart=/bin/true\n")

    def look(self, file: Path, unit: str) -> str:
        """Have the service of `unit` open a log file; return what it says."""
        return self._apart(SANDBOX, str(file), unit).strip()

    def type(self, command: str) -> str:
        """Have root type something; return what systemctl was told."""
        self._apart(AS_ROOT, command)
        return (self.directory / "asked").read_text()

    def _apart(self, script: str, *arguments: str) -> str:
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHON": sys.executable, "PYTHONPATH": str(ROOT),
            "LOOK": LOOK, "USER_ID": USER, "GROUP_ID": GROUP, "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        done = subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(self.directory),
             *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def node() -> Iterator[Node]:
    """In a directory that everybody may enter; pytest's own are root's."""
    with tempfile.TemporaryDirectory(prefix="log-mend-") as directory:
        yield Node(Path(directory))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", ["inspurlog", "our logs", "100%"])
def test_what_the_sentence_says_typed_by_root_opens_the_log(node: Node, unit: str, name: str) -> None:
    file = node.directory / name / "some.log"
    said = node.look(file, unit)
    assert f"cannot be written (Read-only file system): {unit} may write nowhere else" in said
    told = node.type(said.partition("As root: ")[2])
    assert told == f"daemon-reload\nrestart {unit}\n"
    assert node.look(file, unit) == ""
    assert (file.stat().st_uid, file.parent.stat().st_mode & 0o7777) == (int(USER), 0o1770)
    _systemd_takes(node, unit)


def _systemd_takes(node: Node, unit: str) -> None:
    path = str(node.directory / "system" / unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "logdir.conf" not in done.stderr


def test_a_directory_that_its_user_may_not_write_is_given_to_both_services(node: Node) -> None:
    logs = node.directory / "logs"
    logs.mkdir(mode=0o755)
    said = log_directory.mend(errno.EACCES, logs, journal.UNIT)
    (node.directory / "asked").touch()
    assert node.type(said.partition("As root: ")[2]) == ""
    facts = logs.stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o7777) == (0, int(GROUP), 0o1770)


def test_the_documents_command_is_the_sentences() -> None:
    said = log_directory.mend(errno.EROFS, Path("/srv/logs"), journal.UNIT)
    text = (ROOT / "docs/configuration.md").read_text()
    assert f"    {said.partition('As root: ')[2]}\n" in text


def test_nobody_is_told_to_give_away_a_directory_that_others_use(tmp_path: Path) -> None:
    (tmp_path / "inspur-instorage-provisioner").mkdir()
    assert "choose one of its own" in log_directory.mend(errno.EACCES, tmp_path, journal.UNIT)
    for error in (errno.EACCES, errno.EROFS):
        said = log_directory.mend(error, Path("/var/log"), journal.UNIT)
        assert said == "it is not for these files alone: choose one of its own, as /var/log/inspurlog."
        assert "choose another" in log_directory.mend(error, Path("/home/logs"), journal.UNIT)
        said = log_directory.mend(error, Path("/var/log/instorage"), log_files.UNIT)
        assert said == f"it is for {journal.UNIT} alone: choose /var/log/inspurlog, which is for both."
